package dedupe

import (
	"errors"
	"time"
)

// Single flight: the first ticket of a key in this process leads, the others
// follow it. A follower holds no handler slot and makes no call to the store.

// takeOff makes t the leader of its key, and reports so; else t follows the
// leader there is, or is refused. Guard.mu is held.
func (t *Ticket) takeOff() bool {
	lead, ok := t.s.g.flights[t.key]
	switch {
	case !ok:
		t.s.g.flights[t.key] = t
		return true
	default:
		lead.follow(t)
	}
	return false
}

// follow makes t wait for lead, or refuses it. A record of a FIFO queue never
// waits for one of another batch, nor for a later one of its own that has not
// started, so that no cycle of lanes can form; nobody
// waits for a handler that ignores its context, nor for the one that it is
// called by, nor in a session that does not want to. Guard.mu is held.
func (lead *Ticket) follow(t *Ticket) {
	lead.mu.Lock()
	abandoned, lease := lead.abandoned, lead.leaseEnd
	lead.mu.Unlock()
	refuse := abandoned || t.s.o.NoFollow || t.rec.Ordered && (lead.s != t.s || lead.mayWaitFor(t)) || t.inside(lead)
	t.mu.Lock()
	defer t.mu.Unlock()
	if refuse {
		t.twinLease, t.twinOther = t.s.g.twinUntil(lease), t.differs(lead.fingerprint)
		t.to(refused)
		return
	}
	t.to(following)
	lead.followers = append(lead.followers, t)
}

// refuse reports a ticket whose twin it may not follow.
func (t *Ticket) refuse() {
	if t.twinOther {
		t.reject(&MismatchError{Key: t.key})
		return
	}
	t.busy(t.twinLease)
}

// mayWaitFor reports whether lead stands behind t in their batch and was
// claimed ahead of its handler: records between the two may make it wait. Then
// t is one whose earlier twin was not started.
func (lead *Ticket) mayWaitFor(t *Ticket) bool {
	return lead.number > t.number && !t.s.g.ClaimsLate() && (lead.is(fresh) || lead.is(ready))
}

// inside reports whether t is handled within lead's handler.
func (t *Ticket) inside(lead *Ticket) bool {
	s := t.s
	for {
		outer, ok := s.ctx.Value(claimKey{}).(*Ticket)
		if !ok || outer == lead {
			return ok
		}
		s = outer.s
	}
}

// twinUntil returns when to come back to a twin that still runs here, though
// its lease may have passed.
func (g *Guard) twinUntil(lease Millis) Millis {
	if now := MillisOf(time.Now()); lease <= now {
		return now.Add(g.o.Lease)
	}
	return lease
}

// unfollow makes t's twin the one who tells its outcome, and reports whether
// that was so: t may have been skipped.
func (t *Ticket) unfollow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.is(following) {
		return false
	}
	t.to(settling)
	return true
}

// leave detaches those who follow t.
func (t *Ticket) leave() []*Ticket {
	t.s.g.mu.Lock()
	defer t.s.g.mu.Unlock()
	fs := t.followers
	t.followers = nil
	return fs
}

// land ends the flight that t leads, if any, and tells those who followed.
func (t *Ticket) land(err error) {
	if !t.landed {
		t.s.g.mu.Lock()
		t.touchDown()
		t.s.g.mu.Unlock()
	}
	fs := t.followers // nobody can join them any more
	t.followers = nil
	for _, f := range fs {
		f.twinLanded(t, err)
	}
}

// touchDown ends the flight that t leads: from now on nobody follows it.
// Guard.mu is held.
func (t *Ticket) touchDown() {
	if t.s.g.flights[t.key] == t {
		delete(t.s.g.flights, t.key)
	}
	t.landed = true
}

// twinLanded gives a follower its twin's outcome where that speaks of the
// work itself: done, run and failed, in progress elsewhere or parked. Else
// the work was not tried, or was cut off, and the follower gets a try of its own.
func (t *Ticket) twinLanded(lead *Ticket, err error) {
	tried := err == nil || lead.ran && !lead.cutOff(t) || errors.Is(err, ErrInProgress) || errors.Is(err, ErrParked)
	switch {
	case !tried && !t.is(following): // was skipped
	case !tried:
		t.s.o.Again(t)
	case !t.unfollow():
	case err == nil:
		r := lead.Result()
		t.replay(r.Data, r.Lost)
		t.done(lead.fingerprint, 0, true)
	case t.fingerprint != lead.fingerprint:
		t.reject(&MismatchError{Key: t.key})
	default:
		t.report(err)
	}
}

// cutOff reports whether lead failed because its own batch was cancelled, by a
// client that left for example, which says nothing of t's.
func (lead *Ticket) cutOff(t *Ticket) bool {
	return lead.s != t.s && lead.s.ctx.Err() != nil
}
