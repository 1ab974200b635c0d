package batch

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Options configure a [Processor].
type Options struct {
	// Concurrency is how many handlers run at once, over all calls of
	// Process. Defaults to 10.
	Concurrency int

	// Reserve is the time before the context's deadline that is kept for
	// giving an answer. When it begins, nothing is started any more and the
	// contexts of running handlers end; half of it later, handlers that still
	// run are reported as failed. Without a deadline it is the time that
	// handlers get to return once the context was cancelled. Defaults to a
	// tenth of the time that is left at the start, at least 500 ms and at
	// most 5 s, and to 5 s without a deadline. With no more than the reserve
	// left at the start nothing is run.
	Reserve time.Duration

	// StopOnFailure makes a failed record of an ordered source stop all of
	// the batch that stands behind it and has not started. Defaults to false:
	// it stops its message group.
	StopOnFailure bool

	// Drain, once closed, ends starting: handlers that run go on, the records
	// that have not started come back with a [NotStartedError], in all calls
	// of Process, those to come included. Defaults to none.
	Drain <-chan struct{}

	// Decode takes the envelope off each record before anything else is done
	// with it; a record that it refuses fails. Defaults to none.
	Decode func(rec *consumer.Record) error

	// Observer is told which records failed and why, and when a batch is done.
	// Defaults to the guard's.
	Observer consumer.Observer
}

const (
	defaultConcurrency = 10
	leastReserve       = 500 * time.Millisecond
	mostReserve        = 5 * time.Second
)

// Processor runs batches of records. It is safe for concurrent use.
type Processor struct {
	guard *dedupe.Guard
	h     consumer.Handler
	o     Options
	slots chan struct{} // one token per running handler

	// hungry counts the calls that wait for a slot. While there are any, a
	// worker that is through with a record gives its slot up instead of
	// taking the next record of its own call, so that calls share the slots.
	hungry atomic.Int32
}

// New returns a Processor that runs h for each record that guard admits; a
// nil guard admits all. It panics when h is nil or an option is negative.
func New(guard *dedupe.Guard, h consumer.Handler, o Options) *Processor {
	switch {
	case h == nil:
		panic("batch: New needs a handler")
	case o.Concurrency < 0:
		panic("batch: New: negative Options.Concurrency")
	case o.Reserve < 0:
		panic("batch: New: negative Options.Reserve")
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Observer == nil {
		o.Observer = guard.Observer()
	} else {
		o.Observer = consumer.Contained(o.Observer)
	}
	return &Processor{guard: guard, h: h, o: o, slots: make(chan struct{}, o.Concurrency)}
}

// Process runs recs and yields each record once with its outcome, in the
// order in which outcomes become known: nil when the record may be
// acknowledged. Handlers run under ctx.
//
// The records belong to the Processor until the sequence ends. Leaving the
// loop early cancels the handlers that run, releases what was claimed, and
// waits for both; the records that were not yielded are not done.
func (p *Processor) Process(ctx context.Context, recs []*consumer.Record) iter.Seq2[*consumer.Record, error] {
	return func(yield func(*consumer.Record, error) bool) {
		if len(recs) == 0 {
			return
		}
		newRun(p, ctx, recs).loop(yield)
	}
}

// schedule is when a batch stops working and when it has to have answered.
type schedule struct {
	cutoff  time.Time     // nothing starts, contexts end; zero: no deadline
	abandon time.Time     // handlers that still run are given up
	limit   time.Time     // settlements are given up
	end     time.Time     // the deadline itself
	grace   time.Duration // from a cancellation to abandon, without deadline
}

func (p *Processor) schedule(ctx context.Context) schedule {
	reserve := p.o.Reserve
	deadline, ok := ctx.Deadline()
	if !ok {
		if reserve == 0 {
			reserve = mostReserve
		}
		return schedule{grace: reserve}
	}
	left := time.Until(deadline)
	if reserve == 0 {
		reserve = min(max(left/10, leastReserve), mostReserve)
	}
	reserve = min(reserve, max(left, 0))
	return schedule{
		cutoff:  deadline.Add(-reserve),
		abandon: deadline.Add(-reserve / 2),
		limit:   deadline.Add(-reserve / 4),
		end:     deadline,
		grace:   reserve / 2,
	}
}
