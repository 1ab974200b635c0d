package batch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// run is one call of Process. Its loop is the only one that touches the
// places and the counts; goroutines that claim, handle and settle leave notes
// for it.
type run struct {
	p      *Processor
	ctx    context.Context //nolint:containedctx // a run lives as long as the call that made it
	cancel context.CancelCauseFunc
	when   schedule
	sess   *dedupe.Session
	began  time.Time
	open   func(*consumer.Record) error // takes the envelope off; may be nil

	recs    []*consumer.Record
	places  []place
	lanes   map[string]*lane
	queue   queue
	next    int // first place that was not admitted
	end     int // places behind this one are not to start
	window  window
	claims  int    // windows being claimed now (0 or 1)
	waiting int    // places that were admitted and wait for a twin or their lane
	left    int    // places without an outcome
	failed  int    // places with an error
	gaveUp  bool   // handlers were abandoned
	stopped error  // why nothing is started any more
	broke   bool   // the caller left the loop
	first   *place // of the outcomes to yield, in the order in which they came
	last    *place

	hungry   atomic.Bool // the loop waits for a slot
	notes    inbox
	fewNotes [12]note // what the inbox of a usual batch begins with
	workers  sync.WaitGroup
}

func newRun(p *Processor, ctx context.Context, recs []*consumer.Record, open func(*consumer.Record) error) *run {
	r := &run{
		p: p, when: p.schedule(ctx), began: time.Now(), open: open, recs: recs,
		places: make([]place, len(recs)), left: len(recs), end: len(recs),
		window: newWindow(p.o.Concurrency),
	}
	r.notes.notes = r.fewNotes[:0]
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if !r.when.cutoff.IsZero() {
		var stop context.CancelFunc
		cancel := r.cancel
		r.ctx, stop = context.WithDeadlineCause(r.ctx, r.when.cutoff, ErrDeadline)
		r.cancel = func(cause error) { cancel(cause); stop() }
	}
	r.sess = p.guard.Session(r.ctx, dedupe.SessionOptions{
		Settled: func(t *dedupe.Ticket, err error) { r.notes.post(note{kind: settled, place: t.Number(), err: err}) },
		Again:   func(t *dedupe.Ticket) { r.notes.post(note{kind: again, place: t.Number()}) },
		Limit:   r.when.limit, Deadline: r.when.end,
	})
	for i, rec := range recs {
		r.places[i].rec, r.places[i].number = rec, i
	}
	return r
}

// loop runs the batch to its end and yields what becomes known.
func (r *run) loop(yield func(*consumer.Record, error) bool) {
	defer r.close()
	var t timers
	defer t.stop()
	defer r.windUp(&t)
	r.decode()
	r.heedDrain()
	for {
		r.read()
		r.start()
		if !r.deliver(yield) || r.left == 0 {
			return
		}
		if r.notes.rest() {
			r.await(&t)
		}
	}
}

// windUp brings the batch to its end when the caller left its loop, be it by
// a panic.
func (r *run) windUp(t *timers) {
	if !r.broke {
		return
	}
	r.cancel(errBroke)
	for r.read(); r.left > 0; r.read() {
		if r.notes.rest() {
			r.await(t)
		}
	}
}

// await waits for whatever comes next.
func (r *run) await(t *timers) {
	var slot chan<- struct{}
	if r.queue.wantsWorker() {
		slot = r.p.slots
		r.hungry.Store(true)
		r.p.hungry.Add(1)
		defer func() {
			r.p.hungry.Add(-1)
			r.hungry.Store(false)
		}()
	}
	select {
	case <-r.notes.wake:
	case slot <- struct{}{}:
		r.launch()
	case <-r.drain():
		r.stop(ErrDraining)
	case <-t.ended(r.ctx):
		t.seen = true
		r.stop(context.Cause(r.ctx))
		t.arm(r.when)
	case <-t.abandon():
		r.abandon()
	}
}

// drain is closed when nothing is to be started any more, until that was seen.
func (r *run) drain() <-chan struct{} {
	if r.stopped != nil {
		return nil
	}
	return r.p.o.Drain
}

// heedDrain stops the run if Drain is closed.
func (r *run) heedDrain() {
	select {
	case <-r.drain():
		r.stop(ErrDraining)
	default:
	}
}

// close joins what the run started. A handler that ignores its context is
// the one thing that is not waited for.
func (r *run) close() {
	r.cancel(nil)
	if !r.gaveUp {
		r.workers.Wait()
	}
	r.sess.Close()
	if o := r.p.o.Observer; o != nil {
		o.Observe(r.ctx, consumer.BatchDone{
			Records: len(r.places), Done: len(r.places) - r.failed, Failed: r.failed,
			Took: time.Since(r.began),
		})
	}
}

// deliver yields the outcomes that are known.
func (r *run) deliver(yield func(*consumer.Record, error) bool) bool {
	for pl := r.first; pl != nil; pl = r.first {
		r.first = pl.after
		r.broke = true // unless it comes back for more
		if !yield(pl.rec, pl.err) {
			return false
		}
		r.broke = false
	}
	r.last = nil
	return true
}
