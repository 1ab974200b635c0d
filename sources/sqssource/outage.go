package sqssource

import (
	"errors"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

const (
	storeBackoff = time.Second
	storeLull    = 20 * time.Millisecond // in which an answer for another message shows that the store is there
)

// outage is what becomes of messages that the store gave no answer for. They
// stay in this process, in their slots, and are tried again: to return them
// would count a receive each time. While the store answers for none, nothing is
// received, and one of them tries whether it is back. Guarded by run.mu.
type outage struct {
	held     []*message // wait to be tried again
	holding  int        // messages that were held and have no answer yet
	since    time.Time  // the first of held was tried
	err      error      // the store's
	waking   bool       // somebody waits to try them
	total    bool       // nothing is answered: receiving pauses
	answered time.Time  // the latest answer
	rounds   int        // tries in a row without one
	until    time.Time  // the next try
}

// hold keeps a message that the store gave no answer for. r.mu is held.
func (r *run) hold(m *message, err error) {
	o := &r.outage
	if len(o.held) == 0 {
		o.since = m.tried
	}
	if !m.held {
		m.held = true
		o.holding++
	}
	o.held, o.err = append(o.held, m), err
	r.wakeHeld()
}

// wakeHeld sees to it that what is held is tried again. r.mu is held.
func (r *run) wakeHeld() {
	if o := &r.outage; len(o.held) > 0 && !o.waking {
		o.waking = true
		r.works.Go(r.tryHeld)
	}
}

// tryHeld tries held messages again after a while: all of them, or, when
// nothing is answered, one.
func (r *run) tryHeld() {
	pause(r.ctx, storeLull)
	r.mu.Lock()
	wait := r.storeFailed()
	r.unlock()
	pause(r.ctx, wait)
	r.mu.Lock()
	o := &r.outage
	o.waking = false
	n := len(o.held)
	if o.total && !r.stopping {
		n = min(n, 1)
	}
	ms := o.held[:n:n]
	o.held = o.held[n:]
	free := 0
	ms = slices.DeleteFunc(ms, func(m *message) bool {
		if m.lost { // others may have it by now
			free += r.outcome(m, o.err)
		}
		return m.lost
	})
	r.unlock()
	r.seat.put(free)
	r.process(ms)
	r.mu.Lock()
	defer r.unlock()
	r.wakeHeld()
}

// storeFailed returns how long to wait before the next try, and pauses
// receiving when nothing was answered meanwhile. r.mu is held.
func (r *run) storeFailed() time.Duration {
	o := &r.outage
	o.rounds++
	wait := jittered(storeBackoff, o.rounds)
	if !o.total && o.answered.After(o.since) || r.stopping {
		return wait
	}
	o.total, o.until = true, time.Now().Add(wait)
	r.tell(consumer.Paused{Queue: r.p.url, Err: o.err, Wait: wait})
	return wait
}

// storeAnswered notes that the store gave an answer for m, and ends the pause
// if m was tried since. r.mu is held.
func (r *run) storeAnswered(m *message) {
	r.unhold(m)
	o := &r.outage
	o.answered = time.Now()
	if o.total && m.tried.Before(o.until) {
		return
	}
	o.total, o.rounds = false, 0
	r.cond.Broadcast()
	if len(o.held) > 0 && !o.waking {
		ms := o.held
		o.held = nil
		r.works.Go(func() { r.process(ms) })
	}
}

// unhold ends what hold began. r.mu is held.
func (r *run) unhold(m *message) {
	if m.held {
		m.held = false
		r.outage.holding--
		r.cond.Broadcast()
	}
}

// isAnswer reports whether the outcome of a message that was not run is an
// answer of the store.
func isAnswer(err error) bool {
	return err == nil || errors.Is(err, dedupe.ErrInProgress) || errors.Is(err, dedupe.ErrParked)
}

// storeError reports whether a record failed because the store could not be
// asked for its claim.
func storeError(err error) bool {
	e, ok := errors.AsType[*dedupe.StoreError](err)
	return ok && e.Op == dedupe.OpClaim
}
