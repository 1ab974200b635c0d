package sqssource

import (
	"errors"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	storeBackoff = time.Second
	storeLull    = 20 * time.Millisecond // in which an answer for another message shows that the store is there

	// fewestUnanswered messages in a row make an outage. One may be to blame
	// itself: its row cannot be read, or its partition is throttled.
	fewestUnanswered = 3

	// mostProbes messages may wait for an answer before nothing more is
	// received in an outage. Fewer may all be to blame themselves.
	mostProbes = 10
)

// outage is what becomes of messages that the store gave no answer for. They
// stay in this process, in their slots, and are tried again: to return them
// would count a receive each time. While the store answers for none, next to
// nothing is received, and one of them tries whether it is back. Guarded by
// run.mu.
type outage struct {
	held       []*message // wait to be tried again
	holding    int        // messages that were held and have no answer yet
	err        error      // the store's
	waking     bool       // somebody waits to try them
	rounds     int        // tries in a row without an answer
	until      time.Time  // the next try
	unanswered int        // messages first held since the latest answer
	total      bool       // nothing is answered: receiving pauses
	since      time.Time  // then: when that was seen
}

// hold keeps a message that the store gave no answer for. r.mu is held.
func (r *run) hold(m *message, err error) {
	o := &r.outage
	o.held, o.err = append(o.held, m), err
	switch {
	case m.held && !m.told && !o.total: // nobody else tells what is wrong with it
		m.told = true
		r.tell(consumer.Failed{Record: m.rec, Err: err})
	case !m.held:
		m.held = true
		o.holding++
		if o.unanswered++; o.unanswered == r.outageFrom() && !o.total {
			r.works.Go(r.doubtStore)
		}
	}
	r.wakeHeld()
}

// doubtStore pauses receiving unless the store answers in a moment.
func (r *run) doubtStore() {
	pause.For(r.ctx, storeLull)
	r.mu.Lock()
	defer r.unlock()
	o := &r.outage
	if o.unanswered < r.outageFrom() || o.total || r.stopping {
		return
	}
	o.total, o.since = true, time.Now()
	r.tell(consumer.Paused{Queue: r.p.url, Err: o.err, Wait: time.Until(o.until)})
}

// outageFrom is how many messages without an answer make an outage: no more
// than can be tried at once.
func (r *run) outageFrom() int { return min(fewestUnanswered, r.p.o.Concurrency) }

// wakeHeld sees to it that what is held is tried again. r.mu is held.
func (r *run) wakeHeld() {
	o := &r.outage
	if len(o.held) == 0 || o.waking {
		return
	}
	o.waking = true
	o.rounds++
	wait := jittered(storeBackoff, mostPause, o.rounds)
	o.until = time.Now().Add(wait)
	if o.total && !r.stopping {
		r.tell(consumer.Paused{Queue: r.p.url, Err: o.err, Wait: wait})
	}
	r.works.Go(func() { r.tryHeld(wait) })
}

// tryHeld tries held messages again after a while: all of them, or, when
// nothing is answered, one.
func (r *run) tryHeld(wait time.Duration) {
	pause.For(r.ctx, wait)
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

// storeAnswered notes that the store gave an answer for m, and ends the pause
// if m was tried since it began. r.mu is held.
func (r *run) storeAnswered(m *message) {
	r.unhold(m)
	o := &r.outage
	if o.total && m.tried.Before(o.since) {
		return
	}
	o.total, o.rounds, o.unanswered = false, 0, 0
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
