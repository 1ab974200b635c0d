package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// A handler's context ends after the time that it was given, with a
// TimeoutError as its cause.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := consumer.Chain(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("ctx.Err() = %v, want DeadlineExceeded", ctx.Err())
			}
			return context.Cause(ctx)
		}), consumer.Timeout(20*time.Second))

		for range 2 { // every record has the full time
			start := time.Now()
			err := h.HandleRecord(t.Context(), &consumer.Record{})
			te, ok := errors.AsType[*consumer.TimeoutError](err)
			if !ok || te.After != 20*time.Second {
				t.Errorf("cause = %v, want a TimeoutError of 20s", err)
			}
			if took := time.Since(start); took != 20*time.Second {
				t.Errorf("the context ended after %v, want 20s", took)
			}
		}
	})
}

// An end that comes before the timeout keeps its own cause.
func TestTimeoutOuterCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel(stop)
		}()
		h := consumer.Chain(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}), consumer.Timeout(20*time.Second))
		if err := h.HandleRecord(ctx, &consumer.Record{}); !identical(err, stop) {
			t.Errorf("cause = %v, want %v", err, stop)
		}
	})
}

// A handler that ignores its context is waited for, and its outcome counts.
func TestTimeoutIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := consumer.Chain(consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			time.Sleep(time.Minute)
			return nil
		}), consumer.Timeout(time.Second))
		start := time.Now()
		if err := h.HandleRecord(t.Context(), &consumer.Record{}); err != nil || time.Since(start) != time.Minute {
			t.Errorf("HandleRecord = %v after %v, want nil after 1m", err, time.Since(start))
		}
	})
}

// The context ends with the handler, so that nothing started from it lives
// on unnoticed.
func TestTimeoutCancelsOnReturn(t *testing.T) {
	var kept context.Context
	h := consumer.Chain(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		kept = ctx
		return nil
	}), consumer.Timeout(time.Hour))
	if err := h.HandleRecord(t.Context(), &consumer.Record{}); err != nil {
		t.Fatal(err)
	}
	if kept.Err() != context.Canceled {
		t.Errorf("ctx.Err() = %v after the handler returned, want Canceled", kept.Err())
	}
}

// A timeout that gives no time panics when it is wired.
func TestTimeoutPanics(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		wantPanic(t, "consumer: ", func() { consumer.Timeout(d) })
	}
}
