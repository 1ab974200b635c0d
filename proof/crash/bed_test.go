package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A queue that does not get empty is an error that says so.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := errors.New("late")
		for n, want := range map[int]error{0: nil, 3: nil, 1000: late} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
			asked := 0
			err := until(ctx, func() bool { asked++; return asked > n })
			cancel()
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("true after %d times: got %v, want %v", n, err, want)
			}
		}
	})
}
