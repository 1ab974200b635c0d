package lambdasource

import (
	"fmt"
	"strings"
)

// RecordError is the failure of one record: of an invocation with one, and
// inside a [FailedError].
type RecordError struct {
	ID  string // the messageId, the sequence number, or the id of the event; empty where it could not be read
	Err error  // what went wrong, never nil
}

func (e *RecordError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("record %v", e.Err)
	}
	return fmt.Sprintf("record %s: %v", e.ID, e.Err)
}

// Unwrap returns what went wrong.
func (e *RecordError) Unwrap() error { return e.Err }

// FailedError is the failure of an invocation in which every record failed, or
// of one that cannot say which ones did.
type FailedError struct {
	Records int           // how many there were
	Failed  int           // how many of them failed
	First   []RecordError // the first of those, in the order of the payload
}

// mostCauses is how many failures a FailedError tells.
const mostCauses = 3

func newFailedError(records int, failures []RecordError) *FailedError {
	first := make([]RecordError, min(len(failures), mostCauses))
	copy(first, failures)
	return &FailedError{Records: records, Failed: len(failures), First: first}
}

func (e *FailedError) Error() string {
	var b strings.Builder
	switch e.Records {
	case 1:
		b.WriteString("lambdasource: the only record failed: ")
	case e.Failed:
		fmt.Fprintf(&b, "lambdasource: all %d records failed: ", e.Records)
	default:
		fmt.Fprintf(&b, "lambdasource: %d of %d records failed: ", e.Failed, e.Records)
	}
	for i := range e.First {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.First[i].Error())
	}
	if more := e.Failed - len(e.First); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// Unwrap returns the failures in First.
func (e *FailedError) Unwrap() []error {
	errs := make([]error, len(e.First))
	for i := range e.First {
		errs[i] = &e.First[i]
	}
	return errs
}
