package dedupe

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

const (
	// linger is how long a settlement waits for companions while other
	// handlers run and nothing is in flight: handlers that end at one instant
	// share a call.
	linger = time.Millisecond

	// patience is how long settlements gather behind a call in flight before
	// they stop waiting for it: one hung call must not hold up the others.
	patience = 25 * time.Millisecond

	// maxFlying bounds the calls in flight that the combiner starts.
	maxFlying = 4

	// smallGroup is the largest group that waits to be merged with others
	// when a call is in flight; larger ones go out by themselves.
	smallGroup = 4

	// leastCall is the time that a call gets even when an entry in it is
	// about to run out of time.
	leastCall = 50 * time.Millisecond
)

// errShort is the error of a store that returned too few verdicts.
type errShort struct{ got, want int }

func (e errShort) Error() string {
	return fmt.Sprintf("dedupe: store returned %d verdicts for %d operations", e.got, e.want)
}

// entry is what waits in the combiner: one operation, or a small group.
type entry struct {
	ctx   context.Context //nolint:containedctx // lives as long as the request it belongs to; carries values only
	op    Op
	ops   []Op      // instead of op
	until time.Time // when the asker stops waiting; zero means no bound of its own
	asker asker
}

func (e *entry) len() int { return max(len(e.ops), 1) }

func (e *entry) appendTo(ops []Op) []Op {
	if e.ops != nil {
		return append(ops, e.ops...)
	}
	return append(ops, e.op)
}

// asker is told the verdicts of its entry, once, by the goroutine that made
// the call.
type asker interface {
	answered(vs []Verdict)
}

// combiner stands in front of the store and merges concurrent small calls
// into groups: while a call is in flight the next group gathers, and what the
// last running handlers of a batch leave goes out together.
type combiner struct {
	store    Store
	timeout  time.Duration
	observer consumer.Observer

	mu      sync.Mutex
	running int // workers that entered
	pending []entry
	spare   []entry // the slice of the group before, to gather in
	flying  int     // calls in flight
	timer   *time.Timer
}

// apply sends ops and waits for their verdicts. It never fails as a whole:
// what could not be decided is Undecided in its own verdict. When ctx ends
// first all are Undecided, and the call may still be under way.
func (c *combiner) apply(ctx context.Context, ops []Op) []Verdict {
	if len(ops) > smallGroup { // shares a request already
		return c.call(ctx, ops, c.timeout)
	}
	c.mu.Lock()
	if c.flying == 0 {
		c.flying++
		c.mu.Unlock()
		vs := c.call(ctx, ops, c.timeout)
		c.landed()
		return vs
	}
	w := &waiter{ch: make(chan []Verdict, 1)}
	c.add(entry{ctx: ctx, ops: slices.Clone(ops), asker: w}) // may outlive this call
	c.mu.Unlock()
	select {
	case vs := <-w.ch:
		return vs
	case <-ctx.Done():
		return undecided(len(ops), context.Cause(ctx))
	}
}

type waiter struct{ ch chan []Verdict }

func (w *waiter) answered(vs []Verdict) { w.ch <- vs }

// enter counts a worker that may settle something soon.
func (c *combiner) enter() {
	c.mu.Lock()
	c.running++
	c.mu.Unlock()
}

// leave ends an enter. The last one sends what has gathered, from its own
// goroutine: nobody is left who could add to it.
func (c *combiner) leave() {
	c.mu.Lock()
	c.running--
	c.flush()
}

// leaveBehind ends the enter of a worker that does not come back. What has
// gathered goes out when its time has come.
func (c *combiner) leaveBehind() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
}

// settle queues an operation that ends a ticket.
func (c *combiner) settle(e entry) {
	c.mu.Lock()
	c.add(e)
	c.flush()
}

// gather queues an operation that is not urgent: it goes out with whatever
// comes in the same moment, and never in the caller's goroutine.
func (c *combiner) gather(e entry) {
	c.mu.Lock()
	c.running++ // so that it lingers
	c.add(e)
	c.running--
	c.mu.Unlock()
}

// flush sends what has gathered unless it may still wait for more: for
// workers that have not left, or behind a call in flight. c.mu is held, and
// given back.
func (c *combiner) flush() {
	if c.running > 0 || c.flying > 0 || len(c.pending) == 0 {
		c.mu.Unlock()
		return
	}
	c.sendPending()
}

// sendPending sends what has gathered, from the caller's goroutine. c.mu is
// held, and given back.
func (c *combiner) sendPending() {
	group := c.take()
	c.mu.Unlock()
	c.send(group)
	c.landed()
}

// add queues e and makes sure that something will send it. c.mu is held.
func (c *combiner) add(e entry) {
	c.pending = append(c.pending, e)
	if len(c.pending) > 1 || c.running == 0 && c.flying == 0 {
		return // whoever came first set the timer, or none is needed
	}
	wait := linger
	if c.flying > 0 {
		wait = patience
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.waited)
	} else {
		c.timer.Reset(wait)
	}
}

// waited sends what has gathered when nobody else did in time.
func (c *combiner) waited() {
	c.mu.Lock()
	switch {
	case len(c.pending) == 0:
		c.mu.Unlock()
		return
	case c.flying >= maxFlying:
		late := c.takeLate()
		if len(c.pending) > 0 {
			c.timer.Reset(patience)
		}
		c.mu.Unlock()
		for i := range late {
			late[i].asker.answered(undecided(late[i].len(), errNoCall))
		}
		return
	}
	c.sendPending()
}

var errNoCall = errors.New("dedupe: the store answers none of the calls in flight")

// takeLate removes what nobody waits for any more. c.mu is held.
func (c *combiner) takeLate() (late []entry) {
	now := time.Now()
	c.pending = slices.DeleteFunc(c.pending, func(e entry) bool {
		if e.until.IsZero() || now.Before(e.until) {
			return false
		}
		late = append(late, e)
		return true
	})
	return late
}

// take returns what has gathered and counts it as in flight. c.mu is held.
func (c *combiner) take() []entry {
	group := c.pending
	c.pending, c.spare = c.spare, nil
	c.flying++
	if c.timer != nil {
		c.timer.Stop()
	}
	return group
}

// landed ends a call in flight; what gathered behind it is sent by a new
// goroutine, so that the caller can go on with its own work.
func (c *combiner) landed() {
	c.mu.Lock()
	c.flying--
	if len(c.pending) == 0 || c.flying >= maxFlying {
		c.mu.Unlock()
		return
	}
	group := c.take()
	c.mu.Unlock()
	go func() {
		c.send(group)
		c.landed()
	}()
}

// send makes one call of a group and tells each asker its verdicts.
func (c *combiner) send(group []entry) {
	var until time.Time
	n := 0
	for i := range group {
		n += group[i].len()
		if u := group[i].until; !u.IsZero() && (until.IsZero() || u.Before(until)) {
			until = u
		}
	}
	ops := make([]Op, 0, n)
	for i := range group {
		ops = group[i].appendTo(ops)
	}
	bound := c.timeout
	if !until.IsZero() {
		bound = min(bound, max(time.Until(until), leastCall))
	}
	ctx, stop := together(group)
	defer stop()
	vs := c.call(ctx, ops, bound)
	for i := range group {
		k := group[i].len()
		group[i].asker.answered(vs[:k:k])
		vs = vs[k:]
	}
	clear(group)
	c.mu.Lock()
	if c.spare == nil {
		c.spare = group[:0]
	}
	c.mu.Unlock()
}

// together returns the context of a group's call. Settlements are detached;
// where there are none, the call ends when all who wait for it have gone.
func together(group []entry) (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(group[0].ctx)
	for i := range group {
		if _, ok := group[i].asker.(*waiter); !ok {
			return ctx, func() {}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	left := new(atomic.Int32)
	left.Store(int32(len(group)))
	stops := make([]func() bool, len(group))
	for i := range group {
		stops[i] = context.AfterFunc(group[i].ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// call makes one call to the store, which gets as long as timeout.
func (c *combiner) call(ctx context.Context, ops []Op, timeout time.Duration) []Verdict {
	bounded := &lazyContext{parent: ctx, deadline: time.Now().Add(timeout)}
	defer bounded.end(nil)
	vs, err := c.ask(bounded, ops)
	if err == nil && len(vs) != len(ops) {
		err = errShort{got: len(vs), want: len(ops)}
	}
	if err == nil {
		return vs
	}
	if c.observer != nil {
		c.observer.Observe(ctx, consumer.StoreFailed{Ops: len(ops), Err: err})
	}
	return undecided(len(ops), err)
}

// ask calls the store; a panic in it leaves the operations undecided.
func (c *combiner) ask(ctx context.Context, ops []Op) (vs []Verdict, err error) {
	defer func() {
		if v := recover(); v != nil {
			vs, err = nil, &consumer.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return c.store.Apply(ctx, ops)
}

func undecided(n int, err error) []Verdict {
	vs := make([]Verdict, n)
	for i := range vs {
		vs[i].Err = err
	}
	return vs
}
