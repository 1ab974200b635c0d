package powertools

import (
	"errors"
	"fmt"
)

var (
	// ErrNotPortable is returned, inside a [dedupe.KeyError], for data whose
	// text the library makes in a way that cannot be followed exactly, or that
	// it makes equal for different data. Guessing would find no record, or
	// that of another.
	ErrNotPortable = errors.New("powertools: cannot be written exactly as Powertools writes it")

	// ErrValidation is returned, inside an [ItemError], for an item with the
	// hash of a payload when [Options.Validation] is not set: whether this
	// record has the same payload is then not known.
	ErrValidation = errors.New("powertools: has a payload hash, set Options.Validation")
)

// ItemError is the failure of a record whose item in the Powertools table
// cannot be read for what it is. The record does not run: it may be done.
type ItemError struct {
	ID  string // of the item
	Err error
}

func (e *ItemError) Error() string { return fmt.Sprintf("powertools: item %s: %v", e.ID, e.Err) }

// Unwrap returns the cause.
func (e *ItemError) Unwrap() error { return e.Err }
