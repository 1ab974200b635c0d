package consumer

import (
	"errors"
	"fmt"
	"time"
)

// PermanentError marks a failure that no retry can mend. A source with a
// dead-letter queue may move the record there at once; elsewhere it is a
// failure like any other.
type PermanentError struct {
	Err error // what went wrong, never nil
}

// Permanent wraps err in a [PermanentError]. It returns nil when err is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &PermanentError{Err: err}
}

func (e *PermanentError) Error() string { return "permanent: " + e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *PermanentError) Unwrap() error { return e.Err }

// RetryError asks that the record come back no sooner than After from now. A
// source that cannot delay one record treats it as a plain failure.
type RetryError struct {
	After time.Duration // never negative
	Err   error         // why, may be nil
}

// RetryAfter wraps err in a [RetryError]. Unlike [Permanent] it is an error
// even when err is nil. A negative d counts as zero.
func RetryAfter(d time.Duration, err error) error {
	return &RetryError{After: max(d, 0), Err: err}
}

func (e *RetryError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("retry after %v", e.After)
	}
	return fmt.Sprintf("%v (retry after %v)", e.Err, e.After)
}

// Unwrap returns the wrapped error, nil when there is none.
func (e *RetryError) Unwrap() error { return e.Err }

// IsPermanent reports whether err is, or wraps, a [PermanentError].
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*PermanentError](err)
	return ok
}
