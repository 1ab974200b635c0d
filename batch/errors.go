package batch

import "errors"

// Causes of a [NotStartedError].
var (
	// ErrDeadline says that the time reserved for the answer had begun. It is
	// also the cause with which the contexts of running handlers end then.
	ErrDeadline = errors.New("batch: the time reserved for the answer has begun")

	// ErrGroupFailed says that an earlier record of the same message group
	// failed.
	ErrGroupFailed = errors.New("batch: an earlier record of the message group failed")

	// ErrStopped says that an earlier record of the batch failed, and
	// Options.StopOnFailure is set.
	ErrStopped = errors.New("batch: an earlier record of the batch failed")

	// ErrDraining says that Options.Drain was closed.
	ErrDraining = errors.New("batch: no record is started any more")

	// errBroke is the cause when the caller leaves the loop over the results.
	errBroke = errors.New("batch: the caller stopped reading results")
)

// NotStartedError is the outcome of a record whose handler was not started.
// It has no claim, and comes back like a failed one.
type NotStartedError struct {
	Cause error // one of the causes above, or that of the context
}

func (e *NotStartedError) Error() string { return "not started: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *NotStartedError) Unwrap() error { return e.Cause }

// AbandonedError is the outcome of a record whose handler did not return
// after its context had ended. The handler may still be running.
type AbandonedError struct {
	Cause error // why the context ended
}

func (e *AbandonedError) Error() string {
	return "handler ignored the end of its context: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *AbandonedError) Unwrap() error { return e.Cause }
