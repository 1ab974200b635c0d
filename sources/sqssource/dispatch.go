package sqssource

import (
	"context"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// start begins work on messages that were just received with n slots taken
// for them, and gives back the slots that it does not need.
func (r *run) start(ms []*message, n int) {
	r.mu.Lock()
	if r.stopping {
		for _, m := range ms {
			r.release(m)
		}
		r.unlock()
		r.seat.put(n)
		return
	}
	batch := ms
	slots := len(ms)
	if r.groups != nil {
		batch, slots = r.admit(ms)
	}
	if len(batch) > 0 {
		r.works.Go(func() { r.process(batch) })
	}
	r.unlock()
	r.seat.put(n - slots)
}

// process runs messages to their outcomes, but for those that the store gives
// no answer for.
func (r *run) process(ms []*message) {
	recs := make([]*consumer.Record, len(ms))
	now := time.Now()
	r.mu.Lock()
	r.running += len(ms)
	for i, m := range ms {
		if !m.tried.IsZero() {
			r.renew(m)
		}
		recs[i], m.tried = m.rec, now
	}
	r.unlock()
	for rec, err := range r.batch.Process(r.work, recs) {
		r.mu.Lock()
		m := r.byRec[rec]
		m.ctxs = nil
		r.running--
		free := 0
		if storeError(err) && !m.lost && !r.stopping && (m.held || !r.fifo) {
			r.hold(m, err)
		} else {
			free = r.outcome(m, err)
		}
		r.unlock()
		r.seat.put(free)
	}
}

// renew makes m a new record for another try. r.mu is held.
func (r *run) renew(m *message) {
	r.forget(m)
	m.ran, m.rec = false, m.record(r.arn, r.fifo)
	r.byRec[m.rec] = m
}

// forget forgets m's record and the parts of it. r.mu is held.
func (r *run) forget(m *message) {
	delete(r.byRec, m.rec)
	for _, part := range m.parts {
		delete(r.byRec, part)
	}
	m.parts = nil
}

// split returns the records of a message that holds several, and notes whose
// they are.
func (r *run) split(rec *consumer.Record) ([]*consumer.Record, error) {
	parts, err := r.p.o.Split(rec)
	r.mu.Lock()
	defer r.unlock()
	m := r.byRec[rec]
	for _, part := range parts {
		if part != nil && r.byRec[part] == nil { // else the batch refuses them
			r.byRec[part] = m
			m.parts = append(m.parts, part)
		}
	}
	return parts, err
}

// handle runs the poller's handler with what the poller has to know of it.
func (r *run) handle(ctx context.Context, rec *consumer.Record) error {
	claim, _ := dedupe.FromContext(ctx)
	r.mu.Lock()
	m := r.byRec[rec]
	m.ran, m.ctxs = true, append(m.ctxs, ctx)
	if r.p.guard != nil {
		m.failures = max(m.failures, claim.Failures)
	}
	lost := m.lost
	r.storeAnswered(m)
	r.unlock()
	if lost {
		dedupe.EndHandler(ctx, ErrVisibilityLost)
	}
	return r.p.h.HandleRecord(ctx, rec)
}

// outcome acts on the outcome of one message and returns how many slots are
// free with it. r.mu is held.
func (r *run) outcome(m *message, err error) int {
	if !m.ran && isAnswer(err) {
		r.storeAnswered(m)
	}
	r.unhold(m)
	if g := m.group; g != nil {
		return r.groupOutcome(g, m, err)
	}
	r.settle(m, err)
	return 1
}

// settle ends the stay of a message of no order. r.mu is held.
func (r *run) settle(m *message, err error) {
	switch {
	case err == nil && m.ran:
		m.finished = true
		r.act(&action{m: m, as: done})
	case err == nil:
		m.finished = true
		r.act(&action{m: m, as: duplicate})
	case notStarted(err):
		r.release(m)
	case r.hopeless(err):
		r.works.Go(func() { r.bury(m, err) })
	default:
		r.giveBack(m, err)
	}
}

// release makes a message visible that was not started, or not again since it
// failed; at a stop only when no long poll is under way any more, which would
// receive it again. r.mu is held.
func (r *run) release(m *message) {
	if r.stopping && !r.polled {
		r.parting = append(r.parting, m)
		return
	}
	if m.failed {
		r.act(&action{m: m, as: failed, after: max(time.Until(m.due), 0)})
		return
	}
	r.act(&action{m: m, as: released})
}

// giveBack returns a failed message to the queue. r.mu is held.
func (r *run) giveBack(m *message, err error) {
	after := r.delay(m, err)
	r.tell(consumer.Returned{Record: m.rec, After: after, Err: err})
	r.act(&action{m: m, as: failed, after: after})
}
