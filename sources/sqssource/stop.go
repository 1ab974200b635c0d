package sqssource

import (
	"context"
	"time"
)

// settleTimeout bounds how long deletes and returns are tried at the end.
const settleTimeout = 5 * time.Second

// poll receives until ctx ends or the run fails, and brings all to an end.
func (r *run) poll(ctx context.Context) (Report, error) { //nolint:contextcheck // what is under way outlives ctx
	r.seat = &seat{s: r.p.o.Slots}
	beat, still := context.WithCancel(r.wireCtx)
	heart := make(chan struct{})
	go func() {
		defer close(heart)
		r.heart(beat)
	}()
	r.mu.Lock()
	r.spawn()
	r.unlock()
	undo := context.AfterFunc(ctx, r.beginStop)
	<-r.ctx.Done()
	undo()
	r.end() //nolint:contextcheck // requests that settle have the run's context
	still()
	<-heart
	r.hangUp()
	r.wires.Wait()
	r.mu.Lock()
	defer r.unlock()
	return r.report, r.failure
}

// beginStop ends receiving and starting.
func (r *run) beginStop() {
	r.mu.Lock()
	first := !r.stopping
	r.stopping = true
	if first {
		if r.p.o.AbandonPolls {
			r.cut() // before anything is released, or the polls would bring it back
		}
		close(r.drain)
		r.releaseTenants()
		r.works.Go(r.part)
	}
	r.cond.Broadcast()
	r.unlock()
	r.stop()
}

// part releases what was to be released while receives were under way.
func (r *run) part() {
	r.receiving.Wait()
	r.mu.Lock()
	defer r.unlock()
	r.polled = true
	for _, m := range r.parting {
		r.release(m)
	}
	r.parting = nil
}

// end waits for what is under way, each in its time: receives, handlers,
// deletes.
func (r *run) end() {
	cut := time.AfterFunc(r.p.o.Wait+time.Second, r.cut)
	defer cut.Stop()
	halt := time.AfterFunc(r.p.o.DrainTimeout, func() { r.halt(ErrDraining) })
	defer halt.Stop()
	r.receiving.Wait()
	r.works.Wait()
	hangUp := time.AfterFunc(settleTimeout, r.hangUp)
	defer hangUp.Stop()
	r.flush()
	r.cut()
	r.halt(nil)
}

// flush waits until every message is settled, or none can be any more.
func (r *run) flush() {
	r.mu.Lock()
	defer r.unlock()
	stop := context.AfterFunc(r.wireCtx, func() {
		r.mu.Lock()
		r.cond.Broadcast()
		r.unlock()
	})
	defer stop()
	for len(r.here) > 0 && r.wireCtx.Err() == nil {
		r.deletes.pump()
		r.returns.pump()
		r.cond.Wait()
	}
	r.closed = true
	for _, b := range []*outbox{&r.deletes, &r.returns} {
		b.pending = nil
		if b.timer != nil {
			b.timer.Stop()
		}
	}
	for _, m := range r.here {
		if !m.wire { // else the request under way ends soon, and tells
			r.gone(m, unsettled)
		}
	}
}

// releaseTenants gives back the messages of tenants that wait for their turn.
// r.mu is held.
func (r *run) releaseTenants() {
	if r.fifo {
		return // goOn sees to them
	}
	for _, g := range r.groups {
		for _, m := range g.waiting {
			r.release(m)
		}
		g.waiting = nil
	}
}
