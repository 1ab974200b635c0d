package dedupe

import "errors"

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
	case !lead.follow(t):
		t.state = refused
	}
	return false
}

// follow makes t wait for lead, and reports whether it may. A record of a
// FIFO queue never waits for one of another batch, so that no cycle of lanes
// can form; and nobody waits for a handler that ignores its context.
// Guard.mu is held.
func (lead *Ticket) follow(t *Ticket) bool {
	lead.mu.Lock()
	abandoned, lease := lead.abandoned, lead.leaseEnd
	lead.mu.Unlock()
	if abandoned || t.rec.Ordered && lead.s != t.s {
		t.twinLease = lease
		return false
	}
	t.state = following
	lead.followers = append(lead.followers, t)
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
	t.s.g.mu.Lock()
	fs := t.touchDown()
	t.s.g.mu.Unlock()
	for _, f := range fs {
		f.twinLanded(t, err)
	}
}

// touchDown ends the flight that t leads, and returns those who followed.
// Guard.mu is held.
func (t *Ticket) touchDown() []*Ticket {
	if t.s.g.flights[t.key] == t {
		delete(t.s.g.flights, t.key)
	}
	fs := t.followers
	t.followers = nil
	return fs
}

// twinLanded gives a follower its twin's outcome where that speaks of the
// work itself: done, run and failed, in progress elsewhere or parked. Else
// the work was not tried, and the follower gets a try of its own.
func (t *Ticket) twinLanded(lead *Ticket, err error) {
	switch {
	case err == nil:
		t.done(lead.fingerprint, 0, true)
	case lead.ran && !lead.skip, errors.Is(err, ErrInProgress), errors.Is(err, ErrParked):
		if t.fingerprint != lead.fingerprint {
			t.reject(&MismatchError{Key: t.key})
			return
		}
		t.report(err)
	default:
		t.s.o.Again(t)
	}
}
