package sqssource

import (
	"context"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Poller receives the messages of one SQS queue and runs each that its guard
// admits. Make one with [New].
type Poller struct {
	client Client
	url    string
	guard  *dedupe.Guard
	h      consumer.Handler
	o      Options

	mu  sync.Mutex
	run *run // while Run goes on
}

// New returns a Poller of the queue at that URL that runs h for each message
// that guard admits; a nil guard admits all. It makes no request. It panics
// when client, queueURL or h is missing, when there is more than one Options
// or when one of them is out of range.
//
// A record has the messageId as its ID and MessageID, the queue's ARN as its
// Source, and the message as its Raw, a [types.Message]. It is Ordered when
// the queue's name ends in ".fifo".
//
// [types.Message]: https://pkg.go.dev/github.com/aws/aws-sdk-go-v2/service/sqs/types#Message
func New(client Client, queueURL string, guard *dedupe.Guard, h consumer.Handler, opts ...Options) *Poller {
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	switch {
	case client == nil:
		panic("sqssource: New needs a client")
	case queueURL == "":
		panic("sqssource: New needs the URL of a queue")
	case h == nil:
		panic("sqssource: New needs a handler")
	case len(opts) > 1:
		panic("sqssource: New takes one Options")
	case guard.Reprocesses() && o.Decode == nil:
		panic("sqssource: New: the guard has Options.Reprocess, and without Options.Decode no record has the name of a replay")
	}
	return &Poller{client: client, url: queueURL, guard: guard, h: h, o: o.withDefaults()}
}

// Report says what became of the deliveries of one Run. Each delivery is
// counted once: Received is the sum of the others.
type Report struct {
	Received   int // messages that SQS delivered, every time they came
	Done       int // handled and deleted
	Duplicates int // finished before, and deleted; or a copy of a message that was here
	Failed     int // returned to the queue to be tried again, or moved to the dead-letter queue
	Released   int // returned to the queue without having been started
	Unsettled  int // could neither be deleted nor returned in time: they come back by themselves
}

func (r *Report) count(as ending) {
	switch as {
	case unsettled:
		r.Unsettled++
	case done:
		r.Done++
	case duplicate:
		r.Duplicates++
	case failed:
		r.Failed++
	case released:
		r.Released++
	}
}

// Run receives messages and handles them until ctx ends, then brings to an end
// what it has begun, and reports. The error is a [QueueError] when it cannot go
// on: the queue does not exist or denies access. Throttled and failed requests
// are tried again for as long as it takes.
//
// When ctx ends, nothing is received and nothing is started any more; what has
// not started is made visible again, as soon as the long polls under way, which
// would receive it once more, are back. Handlers may go on for
// Options.DrainTimeout; heartbeats do, and deletes come last. Handlers run
// under a context with the values of ctx, not with its end.
//
// Run may be called again after it has returned, not before: that is
// [ErrRunning].
func (p *Poller) Run(ctx context.Context) (Report, error) {
	r := newRun(ctx, p)
	p.mu.Lock()
	if p.run != nil {
		p.mu.Unlock()
		return Report{}, ErrRunning
	}
	p.run = r
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.run = nil
	}()
	if err := r.setup(ctx); err != nil {
		return Report{}, err
	}
	if ctx.Err() != nil {
		return Report{}, nil
	}
	return r.poll(ctx)
}

// run is one call of Run.
type run struct {
	p        *Poller
	observer consumer.Observer
	seat     *seat
	batch    *batch.Processor
	drain    chan struct{} // closed when nothing is started any more

	// What the queue says of itself.
	arn           string
	fifo          bool
	visibility    time.Duration
	setVisibility bool // by each receive
	maxReceives   int  // of the redrive policy; 0 without one
	deadLetters   string

	ctx     context.Context    //nolint:containedctx // ends when the run begins to stop
	stop    context.CancelFunc // ends ctx
	polls   context.Context    //nolint:containedctx // of receives under way
	cut     context.CancelFunc // ends polls
	work    context.Context    //nolint:containedctx // of handlers
	halt    context.CancelCauseFunc
	wireCtx context.Context //nolint:containedctx // of all other requests
	hangUp  context.CancelFunc

	receiving sync.WaitGroup // receivers
	works     sync.WaitGroup // calls of Process, and what waits for the next
	wires     sync.WaitGroup // requests that settle or extend
	hearts    chan struct{}
	wakeHeart chan struct{}

	mu       sync.Mutex
	cond     sync.Cond // there is more room, or the run stops
	later    []consumer.Event
	here     map[string]*message // by MessageId
	byRec    map[*consumer.Record]*message
	groups   map[string]*group // nil where groups do not matter
	bytes    int
	running  int // messages with the batch processor
	recv     receivers
	beats    beats
	nextBeat time.Time
	deletes  outbox
	returns  outbox
	finished memory
	report   Report
	ready    bool      // the queue has answered what it is like
	failing  time.Time // requests to the queue, since the last that succeeded
	stopping bool
	polled   bool       // then: no receive is under way any more
	parting  []*message // to be released when it is
	closed   bool       // nothing is settled any more
	failure  error
	outage   outage
}

func newRun(ctx context.Context, p *Poller) *run {
	r := &run{
		p: p, observer: p.o.Observer, drain: make(chan struct{}),
		here: make(map[string]*message), byRec: make(map[*consumer.Record]*message),
		hearts: make(chan struct{}, heartbeatsAtOnce), wakeHeart: make(chan struct{}, 1),
	}
	if r.observer == nil {
		r.observer = p.guard.Observer()
	}
	r.observer = consumer.Contained(r.observer)
	r.cond.L = &r.mu
	r.deletes = outbox{r: r, op: "DeleteMessageBatch", request: r.deleteBatch, batches: make(chan []*action)}
	r.returns = outbox{r: r, op: "ChangeMessageVisibilityBatch", request: r.returnBatch, batches: make(chan []*action)}
	r.recv.likely = 1
	r.recv.most = min((p.o.Concurrency+mostMessages-1)/mostMessages, mostReceivers)
	detached := context.WithoutCancel(ctx)
	r.ctx, r.stop = context.WithCancel(detached)
	r.polls, r.cut = context.WithCancel(detached)
	r.work, r.halt = context.WithCancelCause(detached)
	r.wireCtx, r.hangUp = context.WithCancel(detached)
	o := batch.Options{
		Concurrency: p.o.Concurrency, Decode: p.o.Decode, Drain: r.drain, Observer: r.ofBatches(),
	}
	if p.o.Split != nil {
		o.Split = r.split
	}
	r.batch = batch.New(p.guard, consumer.HandlerFunc(r.handle), o)
	return r
}

// ofBatches returns the observer of the batch processor: a message that was
// not started because its group waits, the store is down or the poller stops
// has not failed; hold tells of those that the store alone has no answer for.
func (r *run) ofBatches() consumer.Observer {
	if r.observer == nil {
		return nil
	}
	return consumer.ObserverFunc(func(ctx context.Context, e consumer.Event) {
		if f, ok := e.(consumer.Failed); !ok || !notStarted(f.Err) && !storeError(f.Err) {
			r.observer.Observe(ctx, e)
		}
	})
}

// quiet reports whether nothing runs that could soon add to an outbox. r.mu is
// held.
func (r *run) quiet() bool { return r.running == 0 }

// tell keeps an event until r.mu, which is held, is unlocked.
func (r *run) tell(e consumer.Event) {
	if r.observer != nil {
		r.later = append(r.later, e)
	}
}

// unlock unlocks r.mu and tells the observer what happened meanwhile.
func (r *run) unlock() {
	events := r.later
	r.later = nil
	r.mu.Unlock()
	for _, e := range events {
		r.observer.Observe(r.ctx, e)
	}
}

// fail ends the run with an error; the first one counts.
func (r *run) fail(err error) {
	r.mu.Lock()
	if r.failure == nil {
		r.failure = err
	}
	r.unlock()
	r.beginStop()
}
