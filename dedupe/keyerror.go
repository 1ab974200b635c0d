package dedupe

import (
	"errors"
	"fmt"
)

// Errors of records that have no usable key, inside a [KeyError]. No such
// record runs, and none is taken for another.
var (
	// ErrNoKey is returned when the key, or a part of it, is missing, null or
	// empty.
	ErrNoKey = errors.New("dedupe: no idempotency key")

	// ErrNotScalar is returned when a pointer of [Field] leads to an object
	// or an array.
	ErrNotScalar = errors.New("dedupe: neither a string nor a number nor a boolean")

	// ErrNotJSON is returned when [Field] meets a body that is not one JSON
	// value: a syntax error, data behind the value, an escape that is half of
	// a surrogate pair, nesting deeper than 10,000.
	ErrNotJSON = errors.New("dedupe: body is not JSON")

	// ErrDuplicateMember is returned when an object anywhere in the body has
	// two members of one name: readers differ in which of them counts.
	ErrDuplicateMember = errors.New("dedupe: duplicate member in the body")

	// ErrInvalidUTF8 is returned when the body is not JSON and not UTF-8
	// either.
	ErrInvalidUTF8 = errors.New("dedupe: body is not UTF-8")
)

// KeyError is the failure of a record for which no key could be made.
type KeyError struct {
	// Part says what failed: a JSON Pointer in quotes, "id", "body", the
	// attribute's name, the number of a part, or "key" for the whole.
	Part string
	Err  error // one of the errors above, or that of a KeyFunc of your own
}

func (e *KeyError) Error() string { return fmt.Sprintf("%v (%s)", e.Err, e.Part) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }
