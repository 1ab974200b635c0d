package batch

import (
	"runtime/debug"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// decode takes the envelopes off and puts ordered records into their lanes.
func (r *run) decode() {
	refused := false
	for i := range r.places {
		pl := &r.places[i]
		if r.open != nil {
			pl.err = safely(r.open, pl.rec)
			refused = refused || pl.err != nil
		}
		if pl.rec.Ordered {
			r.join(pl)
		}
	}
	if !refused {
		return
	}
	for i := range r.places {
		if pl := &r.places[i]; pl.err != nil {
			r.finish(pl, pl.err)
		}
	}
}

// join puts a place into the lane of its message group.
func (r *run) join(pl *place) {
	if r.lanes == nil {
		r.lanes = make(map[string]*lane)
	}
	l := r.lanes[pl.rec.Group]
	if l == nil {
		l = &lane{}
		r.lanes[pl.rec.Group] = l
	}
	l.places = append(l.places, pl)
	pl.lane = l
}

// safely calls a decoder, which must not take the batch down.
func safely(decode func(*consumer.Record) error, rec *consumer.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &consumer.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return decode(rec)
}

// start claims what comes next and starts a worker for what waits.
func (r *run) start() {
	for r.stopped == nil && r.ctx.Err() == nil {
		r.claimAhead()
		r.heedDrain() // the claim may have taken its time
		r.read()
		if r.queue.wantsWorker() {
			select {
			case r.p.slots <- struct{}{}:
				r.launch()
			default:
			}
		}
		if !r.claimsMore() {
			return
		}
	}
}

// claimsMore reports whether the next group is to be admitted now: few
// admitted records are left to start. Those that wait for a twin or their
// lane do not count, within reason: others can run beside them.
func (r *run) claimsMore() bool {
	return r.next < len(r.places) && r.claims == 0 &&
		r.queue.len() < r.window.least && r.waiting < windowMost
}

// claimAhead admits the next group. It waits for the store only when there is
// nothing else to do.
func (r *run) claimAhead() {
	for r.next < len(r.places) && r.places[r.next].done {
		r.next++
	}
	if !r.claimsMore() {
		return
	}
	first := r.next
	if r.p.guard.ClaimsLate() { // each worker claims its own
		r.next++
		r.wait(&r.places[first], true)
		r.enqueue(&r.places[first])
		return
	}
	most := min(r.window.take(time.Now()), len(r.places)-first)
	n := 0
	for ; n < most && !r.places[first+n].done; n++ {
		r.places[first+n].claiming = true
	}
	r.next += n
	if r.idle(first) {
		r.admitted(first, r.sess.Admit(r.recs[first:first+n], first))
		return
	}
	r.claims++
	r.workers.Go(func() {
		ts := r.sess.Admit(r.recs[first:first+n], first)
		r.notes.post(note{kind: admitted, place: first, tickets: ts, ahead: true})
	})
}

// idle reports whether there is nothing to run, to settle or to yield, before
// the place first.
func (r *run) idle(first int) bool {
	return r.first == nil && r.left <= len(r.places)-first && r.waiting == 0 && r.queue.idle()
}

// enqueue hands a place to the workers, if it can run.
func (r *run) enqueue(pl *place) {
	if pl.queued || pl.done || r.unwanted(pl) != nil || !pl.isHead() {
		return
	}
	if pl.ticket == nil { // claimed by its worker, if at all
		if !r.p.guard.ClaimsLate() || !pl.waits {
			return
		}
	} else if !pl.again && !pl.ticket.Ready() {
		return
	}
	it := item{place: pl, ticket: pl.ticket, anew: pl.again}
	pl.queued, pl.again = true, false
	r.wait(pl, false)
	r.queue.push(it)
}

// launch starts a worker; the caller has taken a slot for it.
func (r *run) launch() {
	r.queue.starting()
	r.workers.Add(1)
	go r.work()
}

// work runs places of the queue one after another, as long as it may keep its
// slot.
func (r *run) work() {
	defer r.workers.Done()
	r.sess.Enter()
	var at *place  // where the slot is in use
	defer func() { // also when a handler ends its goroutine
		r.queue.ended()
		kept := at == nil || at.holds.CompareAndSwap(true, false)
		if kept {
			<-r.p.slots
		}
		r.notes.post(note{kind: wakeUp})
		if kept { // else whoever took the slot has counted this worker out
			r.sess.Leave()
		}
	}()
	it, ok, more := r.queue.first()
	if more && !r.spread() {
		r.notes.post(note{kind: wakeUp}) // the loop did not wait for a slot meanwhile
	}
	for ; ok; it, ok = r.nextItem() {
		at = it.place
		if !r.one(it) {
			return
		}
		at = nil
	}
}

// nextItem returns what a worker does next: nothing when other calls wait
// for its slot.
func (r *run) nextItem() (item, bool) {
	others := r.p.hungry.Load()
	if r.hungry.Load() {
		others--
	}
	if others > 0 {
		return item{}, false
	}
	it, ok, more, short := r.queue.pop(r.window.least)
	if short {
		r.notes.post(note{kind: wakeUp})
	}
	if more {
		r.spread()
	}
	return it, ok
}

// spread starts another worker when more is waiting: each one starts the
// next, so that as many run as there is work and slots. It reports false when
// there was no slot.
func (r *run) spread() bool {
	select {
	case r.p.slots <- struct{}{}:
		r.launch()
		return true
	default:
		return false
	}
}

// one takes a place from its claim to its settlement, and reports whether
// the slot is still the worker's.
func (r *run) one(it item) bool {
	pl, t := it.place, it.ticket
	switch {
	case t == nil:
		ts := r.sess.Admit(r.recs[pl.number:pl.number+1], pl.number)
		r.notes.post(note{kind: admitted, place: pl.number, tickets: ts})
		t = &ts[0]
	case it.anew:
		r.sess.Readmit(t)
	}
	if !t.Ready() {
		pl.holds.Store(false)
		r.notes.post(note{kind: left, place: pl.number})
		return true
	}
	err := t.Handle(r.p.h)
	kept := pl.holds.CompareAndSwap(true, false)
	if err != nil && !t.Ran() {
		err = &NotStartedError{Cause: err}
	}
	t.Settle(err)
	return kept
}
