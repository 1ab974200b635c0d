// Package oncetest tests that a worker does a piece of work once: with its own
// handler, its own key and its own store, however often the work is delivered.
//
// One call of [Check] delivers the same work again and again. First its run
// fails: the delivery must be reported as failed, so that it comes back. Then
// it succeeds, and from there on nothing may happen any more: no run, no
// failure, and no change of the stored record, its completion time included.
//
// What it finds are mistakes of wiring: a handler beside the guard, a key that
// another delivery of the same work does not have, failures that are swallowed
// on the way, a store or a retention that forgets, and, with
// [Harness.Effects], effects that a second run would repeat.
package oncetest

import (
	"context"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Harness says how work reaches a worker. The work must not have been
// delivered before; a new store is the easiest way to see to that.
type Harness struct {
	// Store is the store of the worker's guard, where Check reads the record.
	// Required.
	Store dedupe.Store

	// Handler does the work. Required.
	Handler consumer.Handler

	// Deliver brings one piece of work to the worker for the nth time, counted
	// from 1, with h in the place of Handler, and returns nil when it is
	// acknowledged. Deliveries should differ in what can differ between them,
	// such as message ids. Around something else than a
	// [consumer.Handler] h may be called with a nil record, if Handler does not
	// read it; what counts is the context. Required.
	Deliver func(ctx context.Context, h consumer.Handler, n int) error

	// Effects returns how many effects the next system has seen. If set, one
	// run more is reported as failed after Handler succeeded, as if the worker
	// had died before that could be recorded: the run that follows must add no
	// effect. That is so for handlers that pass their key on as the next
	// system's idempotency key, or write in the transaction that completes the
	// record. Defaults to none: Handler is run to its end once.
	Effects func() int

	// AtMostOnce says that the guard is one with that option: no run is made
	// to fail, because it would be parked. Defaults to false.
	AtMostOnce bool
}

// Check delivers work as h says and reports, with t.Errorf, the first thing
// that should not be. It panics when a required field is missing or Effects
// comes together with AtMostOnce.
func Check(t testing.TB, h Harness) {
	t.Helper()
	switch {
	case h.Store == nil || h.Handler == nil || h.Deliver == nil:
		panic("oncetest: Check: a Harness needs Store, Handler and Deliver")
	case h.Effects != nil && h.AtMostOnce:
		panic("oncetest: Check: Effects needs a run that fails, AtMostOnce has none")
	}
	c := check{h: h, ctx: t.Context()}
	if err := c.run(); err != nil {
		t.Errorf("oncetest: %v", err)
	}
}
