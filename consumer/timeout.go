package consumer

import (
	"context"
	"fmt"
	"time"
)

// TimeoutError is the cause with which [Timeout] cancels a handler's context.
type TimeoutError struct {
	After time.Duration // the time that the handler had
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("consumer: handler timed out after %v", e.After)
}

// Timeout returns a middleware that gives each record at most d: then the
// handler's context ends with a [TimeoutError] as its cause. A handler that
// ignores its context is not stopped by it. Timeout panics when d is not
// positive.
func Timeout(d time.Duration) Middleware {
	if d <= 0 {
		panic("consumer: Timeout needs a positive duration")
	}
	cause := &TimeoutError{After: d}
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, rec *Record) error {
			ctx, cancel := context.WithTimeoutCause(ctx, d, cause)
			defer cancel()
			return next.HandleRecord(ctx, rec)
		})
	}
}
