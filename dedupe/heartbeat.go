package dedupe

import (
	"context"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// soonest bounds how quickly a failed heartbeat is tried again.
const soonest = 10 * time.Millisecond

// keepAlive makes sure that the leases of ts are extended from now on, every
// third of their length.
func (s *Session) keepAlive(ts []*Ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = append(s.leases, ts...)
	if s.beat != nil || s.closed {
		return
	}
	s.open.Add(1)
	s.beat = time.AfterFunc(s.g.o.Lease/3, s.tick)
}

// tick extends what is held and sets the next tick; with nothing held, the
// heartbeat ends until the next claim.
func (s *Session) tick() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.open.Done()
		return
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	s.stopBeat = stop
	held := s.held()
	s.mu.Unlock()
	next := s.g.o.Lease / 3
	if len(held) > 0 {
		next = min(next, s.extend(ctx, held))
	}
	stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(held) == 0 {
		s.beat, s.stopBeat = nil, nil
		s.open.Done()
		return
	}
	s.beat.Reset(next)
}

// held returns the tickets whose lease is to be kept. s.mu is held.
func (s *Session) held() []*Ticket {
	s.leases = slices.DeleteFunc(s.leases, func(t *Ticket) bool { return !t.holds() })
	return slices.Clone(s.leases)
}

func (t *Ticket) holds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return (t.state == ready || t.state == running) && !t.abandoned && !t.lost
}

// extend moves the leases of ts in one call. It returns how long the next
// call may wait: less than usual when one stayed undecided.
func (s *Session) extend(ctx context.Context, ts []*Ticket) time.Duration {
	now := MillisOf(time.Now())
	end := s.g.lease(now, s.o.Limit)
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
	case v.Outcome != Undecided:
		lost = ErrLeaseLost
	default:
		left := t.leaseEnd.Sub(now) - t.s.g.o.Skew
		if left <= 0 {
			lost = &leaseError{v.Err}
		}
		next = max(min(next/6, left), soonest)
	}
	if lost == nil || t.lost || t.state != ready && t.state != running {
		t.mu.Unlock()
		return next
	}
	t.lost = true
	started := t.state == running
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
	return ErrLeaseLost.Error() + ": could not extend: " + e.err.Error()
}

func (e *leaseError) Unwrap() []error { return []error{ErrLeaseLost, e.err} }
