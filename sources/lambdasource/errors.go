package lambdasource

import (
	"fmt"
	"strings"
)

// RecordError is the failure of one record: of an EventBridge invocation, and
// inside an [AllFailedError].
type RecordError struct {
	ID  string // the SQS messageId, or the id of the event
	Err error  // what went wrong, never nil
}

func (e *RecordError) Error() string { return fmt.Sprintf("record %s: %v", e.ID, e.Err) }

// Unwrap returns what went wrong.
func (e *RecordError) Unwrap() error { return e.Err }

// AllFailedError is the failure of an invocation in which every record failed.
type AllFailedError struct {
	Records int           // how many there were
	First   []RecordError // the first of them, in the order of the payload
}

// mostCauses is how many failures an AllFailedError tells.
const mostCauses = 3

func allFailed(failures []RecordError) *AllFailedError {
	first := make([]RecordError, min(len(failures), mostCauses))
	copy(first, failures)
	return &AllFailedError{Records: len(failures), First: first}
}

func (e *AllFailedError) Error() string {
	var b strings.Builder
	if e.Records == 1 {
		b.WriteString("lambdasource: the only record failed: ")
	} else {
		fmt.Fprintf(&b, "lambdasource: all %d records failed: ", e.Records)
	}
	for i := range e.First {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.First[i].Error())
	}
	if more := e.Records - len(e.First); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// Unwrap returns the failures in First.
func (e *AllFailedError) Unwrap() []error {
	errs := make([]error, len(e.First))
	for i := range e.First {
		errs[i] = &e.First[i]
	}
	return errs
}
