package consumer

import (
	"context"
	"encoding/json"
	"fmt"
)

// BodyError is the failure of a record whose body is not what its handler
// takes.
type BodyError struct {
	Err error // what the JSON decoder said
}

func (e *BodyError) Error() string { return fmt.Sprintf("consumer: body: %v", e.Err) }

// Unwrap returns the decoder's error.
func (e *BodyError) Unwrap() error { return e.Err }

// JSON returns a Handler that decodes the record's body into a T and calls
// fn. A body that does not decode is a [Permanent] failure with a [BodyError]
// inside; fn is not called. Members that T does not have are ignored.
func JSON[T any](fn func(ctx context.Context, v T) error) Handler {
	if fn == nil {
		panic("consumer: JSON needs a function")
	}
	return HandlerFunc(func(ctx context.Context, rec *Record) error {
		var v T
		if err := json.Unmarshal(rec.Body, &v); err != nil {
			return Permanent(&BodyError{Err: err})
		}
		return fn(ctx, v)
	})
}
