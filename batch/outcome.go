package batch

import (
	"context"
	"errors"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// read takes the notes that were left.
func (r *run) read() {
	for _, n := range r.notes.take() {
		pl := &r.places[n.place]
		switch n.kind {
		case wakeUp: // the loop looks for itself
		case settled:
			r.finish(pl, r.cutShort(n.err))
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

// cutShort returns err, or what it comes from when a claim stayed undecided
// because the run ended under it.
func (r *run) cutShort(err error) error {
	if r.ctx.Err() == nil {
		return err
	}
	if e, ok := errors.AsType[*dedupe.StoreError](err); ok && e.Op == dedupe.OpClaim {
		return &NotStartedError{Cause: context.Cause(r.ctx)}
	}
	return err
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
		if o := r.p.o.Observer; o != nil {
			o.Observe(r.ctx, consumer.Failed{Record: pl.rec, Err: err})
		}
		if r.p.o.StopOnFailure && pl.rec.Ordered {
			r.stopBehind(pl)
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
			pl.drop = r.unwanted(pl)
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
	if pl.done {
		return
	}
	pl.again = true
	if cause := r.unwanted(pl); cause != nil {
		r.giveUp(pl, cause)
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
	switch cause := r.unwanted(pl); {
	case pl.done:
	case cause != nil:
		r.giveUp(pl, cause)
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
	r.queue.drop(-1)
	r.next = len(r.places)
	for i := range r.places {
		if pl := &r.places[i]; !pl.holds.Load() {
			r.giveUp(pl, cause)
		}
	}
}

// stopBehind gives up what has not started and stands behind a failed place.
// What stands before goes on: a record that can never be read must not keep
// those back that came with it.
func (r *run) stopBehind(failed *place) {
	if failed.number >= r.end {
		return
	}
	r.end = failed.number
	r.queue.drop(r.end)
	for i := r.end + 1; i < len(r.places); i++ {
		if pl := &r.places[i]; !pl.holds.Load() {
			r.giveUp(pl, ErrStopped)
		}
	}
}

// unwanted returns why pl is not to start any more, nil while it may.
func (r *run) unwanted(pl *place) error {
	if r.stopped == nil && pl.number > r.end {
		return ErrStopped
	}
	return r.stopped
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
				r.sess.LeaveBehind()
				<-r.p.slots
			}
		}
	}
}
