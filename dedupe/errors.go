package dedupe

import (
	"errors"
	"fmt"
)

// Errors of records that were not admitted. Their handlers did not run.
var (
	// ErrInProgress is returned when another worker holds the record's key.
	// It comes inside a [consumer.RetryError] with the lease that is left:
	// the record is never skipped, since that worker may still die.
	ErrInProgress = errors.New("dedupe: in progress elsewhere")

	// ErrParked is returned by an at-most-once consumer when an earlier run
	// of the record may have happened and was not completed. A person decides
	// what becomes of it, when its worker is gone: until then that one may
	// still complete it late, or free it because the handler never started.
	ErrParked = errors.New("dedupe: parked: may have run before, needs a decision")
)

// Errors of records whose handler ran.
var (
	// ErrLeaseLost is the cause with which a handler's context is cancelled
	// when its lease ended or passed to another worker. It is also the error
	// of a record whose handler succeeded after another worker took over.
	ErrLeaseLost = errors.New("dedupe: lease lost")

	// ErrNoClaim is returned by [CompleteWith] when its context is not that of
	// a handler that runs under a claim in the store. Nothing was written.
	ErrNoClaim = errors.New("dedupe: no claim in this store belongs to the context")

	// ErrSecondCommit is returned by [CompleteWith] when an earlier call for
	// the same claim was decided, may have been committed or is under way.
	// Nothing was written for the second.
	ErrSecondCommit = errors.New("dedupe: the claim was completed, or may have been, by an earlier transaction")
)

// StoreError is the failure of a record whose operation the store could not
// decide. A claim that failed so did not run; a completion that failed so
// did, and was not recorded.
type StoreError struct {
	Op  OpKind // the operation
	Err error  // what the store said
}

func (e *StoreError) Error() string { return fmt.Sprintf("dedupe: %v undecided: %v", e.Op, e.Err) }

// Unwrap returns the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// MismatchError is the failure of a record whose key was seen before with
// another payload.
type MismatchError struct {
	Key Key
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("dedupe: key %s was used for another payload", e.Key)
}
