package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrGoexit is the failure of a record whose handler ended its goroutine with
// [runtime.Goexit] instead of returning.
var ErrGoexit = errors.New("consumer: handler called runtime.Goexit")

// PanicError is the failure of a record whose handler panicked, or whose
// decoder or key function did.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // the stack of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("panicked: %v", e.Value) }

// Unwrap returns Value when it is an error, so that errors.Is sees through.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Recover returns a middleware that turns a panic of the handler into a
// [PanicError]: that record fails, its neighbours and the process go on.
// Guards and batches contain panics by themselves; Recover is for loops of
// your own. [runtime.Goexit] is not a panic: it ends the goroutine through
// Recover too.
func Recover() Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, rec *Record) (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = &PanicError{Value: v, Stack: debug.Stack()}
				}
			}()
			return next.HandleRecord(ctx, rec)
		})
	}
}
