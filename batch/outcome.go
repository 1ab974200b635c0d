package batch

import (
	"context"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// read takes the notes that were left.
func (r *run) read() {
	for _, n := range r.notes.take() {
		pl := &r.places[n.place]
		switch n.kind {
		case wakeUp: // the loop looks for itself
		case settled:
			r.finish(pl, n.err)
		case again:
			r.retry(pl)
		case admitted:
			if n.ahead {
				r.claims--
			}
			r.admitted(n.place, n.tickets)
		case left:
			r.leftBehind(pl)
		}
	}
}

// finish records the outcome of a place.
func (r *run) finish(pl *place, err error) {
	if pl.done {
		return
	}
	pl.done, pl.err = true, err
	r.wait(pl, false)
	r.left--
	if r.last == nil {
		r.first = pl
	} else {
		r.last.after = pl
	}
	r.last = pl
	if err != nil {
		r.failed++
		if r.p.o.StopOnFailure && pl.rec.Ordered {
			r.stop(ErrStopped)
		}
	}
	if pl.lane != nil {
		r.advance(pl.lane)
	}
}

// advance lets a lane go on, or gives up what is left of it.
func (r *run) advance(l *lane) {
	next, drop := l.advance()
	for _, pl := range drop {
		r.giveUp(pl, ErrGroupFailed)
	}
	if next != nil {
		r.enqueue(next)
	}
}

// admitted takes the tickets of a group whose claims were answered.
func (r *run) admitted(first int, ts []dedupe.Ticket) {
	for i := range ts {
		pl := &r.places[first+i]
		pl.ticket, pl.claiming = &ts[i], false
		if pl.done {
			continue
		}
		if pl.drop == nil {
			pl.drop = r.stopped
		}
		if pl.drop != nil {
			r.giveUp(pl, pl.drop)
			continue
		}
		if !pl.queued {
			r.wait(pl, true)
			r.enqueue(pl)
		}
	}
}

// retry gives a place whose twin was not started a try of its own.
func (r *run) retry(pl *place) {
	pl.again = true
	if r.stopped != nil {
		r.giveUp(pl, r.stopped)
		return
	}
	if pl.ticket == nil || pl.holds.Load() {
		return // the note that it was admitted or left comes next
	}
	pl.queued = false
	r.wait(pl, true)
	r.enqueue(pl)
}

// leftBehind notes that a worker is through with a place that it could not
// run: one that follows a twin, or was given up.
func (r *run) leftBehind(pl *place) {
	switch {
	case pl.done:
	case r.stopped != nil:
		r.giveUp(pl, r.stopped)
	case pl.again:
		r.retry(pl)
	}
}

// wait counts pl among the places that wait, or no longer.
func (r *run) wait(pl *place, waits bool) {
	switch {
	case waits && !pl.waits:
		r.waiting++
	case !waits && pl.waits:
		r.waiting--
	}
	pl.waits = waits
}

// giveUp ends a place whose handler has not started.
func (r *run) giveUp(pl *place, cause error) {
	switch {
	case pl.done:
	case pl.claiming:
		pl.drop = cause
	case pl.ticket == nil:
		r.finish(pl, &NotStartedError{Cause: cause})
	default:
		pl.ticket.Skip(&NotStartedError{Cause: cause})
	}
}

// stop ends starting: what has not started is given up.
func (r *run) stop(cause error) {
	if r.stopped != nil {
		return
	}
	r.stopped = cause
	r.queue.clear()
	r.next = len(r.places)
	for i := range r.places {
		if pl := &r.places[i]; !pl.holds.Load() {
			r.giveUp(pl, cause)
		}
	}
}

// abandon reports the handlers that still run as failed, and gives their
// slots to others: a handler that never returns must not hold up the batches
// to come.
func (r *run) abandon() {
	r.read() // tickets that came just now
	for i := range r.places {
		pl := &r.places[i]
		if pl.done || pl.ticket == nil {
			continue
		}
		if pl.ticket.Abandon(&AbandonedError{Cause: context.Cause(r.ctx)}) {
			r.gaveUp = true
			if pl.holds.CompareAndSwap(true, false) {
				<-r.p.slots
			}
		}
	}
}
