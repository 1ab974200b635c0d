package dedupe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// soonest bounds how quickly a failed heartbeat is tried again.
const soonest = 10 * time.Millisecond

// keepAlive makes sure that the leases of ts, which run from since, are
// extended every third of their length.
func (s *Session) keepAlive(ts []*Ticket, since Millis) {
	due := since.Time().Add(s.g.o.Lease / 3)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = append(s.leases, ts...)
	switch {
	case s.closed:
	case s.beat == nil:
		s.open.Add(1)
		s.due = due
		s.beat = time.AfterFunc(time.Until(due), s.tick)
	case s.due.IsZero(), due.Before(s.due):
		s.due = due
		if s.beat.Stop() { // else the tick under way sees to it
			s.beat.Reset(time.Until(due))
		}
	}
}

// tick extends what is held and sets the next tick; with nothing held, the
// heartbeat ends until the next claim.
func (s *Session) tick() {
	s.mu.Lock()
	held, margin := s.held()
	if s.closed || len(held) == 0 {
		s.beat, s.stopBeat = nil, nil
		s.mu.Unlock()
		s.open.Done()
		return
	}
	began := time.Now()
	ctx, stop := context.WithTimeout(context.WithoutCancel(s.ctx), max(margin.Sub(MillisOf(began)), leastCall))
	ended := make(chan struct{})
	s.stopBeat, s.beating, s.due = stop, ended, time.Time{}
	s.mu.Unlock()
	wait := s.extend(ctx, held)
	stop()
	due := began.Add(s.g.o.Lease / 3)
	if again := time.Now().Add(wait); again.Before(due) {
		due = again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(ended)
	if s.closed {
		s.beat, s.stopBeat = nil, nil
		s.open.Done()
		return
	}
	if s.due.IsZero() || due.Before(s.due) {
		s.due = due
	}
	s.beat.Reset(max(time.Until(s.due), soonest))
}

// held returns the tickets whose lease is to be kept, and when the first of
// them has only its margin left. s.mu is held.
func (s *Session) held() (held []*Ticket, margin Millis) {
	first := Millis(math.MaxInt64)
	s.leases = slices.DeleteFunc(s.leases, func(t *Ticket) bool {
		end, ok := t.holds()
		if ok {
			first = min(first, end)
		}
		return !ok
	})
	return slices.Clone(s.leases), first.Add(-s.g.o.Skew)
}

// holds returns the end of the lease and whether it is to be kept.
func (t *Ticket) holds() (Millis, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leaseEnd, (t.is(ready) || t.is(running)) && !t.abandoned && !t.lost
}

// extend moves the leases of ts in one call. It returns how long the next
// call may wait: less than usual when one stayed undecided.
func (s *Session) extend(ctx context.Context, ts []*Ticket) time.Duration {
	now := MillisOf(time.Now())
	end := s.g.lease(now, s.o.Deadline)
	ops := make([]Op, len(ts))
	for i, t := range ts {
		ops[i] = Op{
			Kind: OpExtend, Key: t.key, Owner: t.owner,
			LeaseEnd: end, RetainEnd: now.Add(s.g.o.Retention),
		}
	}
	vs := s.g.comb.apply(ctx, ops)
	now = MillisOf(time.Now())
	next := s.g.o.Lease
	for i, t := range ts {
		next = min(next, t.extended(now, &vs[i]))
	}
	return next
}

// extended acts on the verdict of an extend. While the store does not answer
// the lease is taken as lost once its margin is reached: by then another
// worker may claim.
func (t *Ticket) extended(now Millis, v *Verdict) time.Duration {
	t.mu.Lock()
	next := t.s.g.o.Lease
	var lost error
	switch {
	case v.Outcome == Applied:
		t.leaseEnd = v.Row.LeaseEnd
	case v.Row.State == Completed && v.Row.Owner == t.owner: // by a transaction of its handler
	case v.Outcome != Undecided:
		lost = ErrLeaseLost
	default:
		left := t.leaseEnd.Sub(now) - t.s.g.o.Skew
		if left <= 0 {
			lost = &leaseError{v.Err}
		}
		next = max(min(next/6, left/2), min(left, soonest))
	}
	if lost == nil || t.lost || t.at() != ready && t.at() != running {
		t.mu.Unlock()
		return next
	}
	t.lost = true
	started := t.at() == running
	t.mu.Unlock()
	if started {
		t.ctx.end(lost)
	}
	if t.s.observed() {
		t.s.observe(consumer.LeaseLost{Record: t.rec, Key: string(t.key), Fence: t.fence, Err: lost})
	}
	return next
}

// leaseError is the loss of a lease that could not be extended in time.
type leaseError struct{ err error }

func (e *leaseError) Error() string {
	return fmt.Sprintf("%v: could not extend: %v", ErrLeaseLost, e.err)
}

func (e *leaseError) Unwrap() []error { return []error{ErrLeaseLost, e.err} }
