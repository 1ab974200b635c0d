package lambdatest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A QueueClient is the part of *sqs.Client that a [Mapping] needs. Its methods
// behave as the client's do; a Mapping calls them from several goroutines at
// once.
type QueueClient interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// MappingOptions configures a [Mapping]. Its limits are those of
// CreateEventSourceMapping.
type MappingOptions struct {
	// Queue is where messages are received and deleted. Required.
	Queue QueueClient

	// QueueURL names the queue; one that ends in .fifo is a FIFO queue. Required.
	QueueURL string

	// Function is invoked with each batch. Required.
	Function Invoker

	// ReportBatchItemFailures makes the mapping read the function's response.
	// Without it every batch that ended without an error is deleted. Defaults
	// to false.
	ReportBatchItemFailures bool

	// BatchSize is how many messages a batch has at most: 10 on a FIFO queue,
	// 10,000 on a standard queue, where more than 10 need a BatchingWindow.
	// Defaults to 10.
	BatchSize int

	// BatchingWindow is how long a batch waits for more messages after its
	// first, up to five minutes, on standard queues only. Defaults to 0: a
	// batch is one receive.
	BatchingWindow time.Duration

	// Concurrency is how many workers poll and invoke at once. Defaults to 1.
	Concurrency int

	// Timeout is the function's timeout, the deadline of every invocation. Run
	// refuses a queue whose visibility timeout is shorter, as AWS does.
	// Defaults to 3 seconds.
	Timeout time.Duration

	// ShortVisibility lets Run accept a queue whose visibility timeout is
	// shorter than Timeout, for tests of what AWS otherwise only shows when
	// invocations start late. Defaults to false.
	ShortVisibility bool

	// Fault decides what goes wrong with the invocation number seq, counted
	// from 0. It is called by one worker at a time. Defaults to no faults.
	Fault func(seq int, messages []types.Message) Fault

	// Observe is told of each invocation after its messages were deleted. It is
	// called by one worker at a time and must not wait for Run. Defaults to
	// nothing.
	Observe func(Invocation)
}

// An Invocation is what became of one batch.
type Invocation struct {
	Seq        int      // number of the invocation, from 0
	MessageIDs []string // the batch, in order
	Payload    []byte   // the event
	Response   []byte   // what the function answered, also when it was not read or lost
	Err        error    // why the whole batch failed, or nil
	Fault      Fault    // what was made to go wrong

	Failed    []string // message ids left to the visibility timeout
	Deleted   []string // message ids deleted from the queue
	Undeleted []string // message ids that were done but could not be deleted

	Started, Ended time.Time // when the invocation was sent and when it was settled
}

// Counts are a [Mapping]'s totals, in CloudWatch's terms where it has one.
type Counts struct {
	PolledEvents       int64 // messages received
	InvokedEvents      int64 // messages given to the function
	FailedInvokeEvents int64 // messages of batches that failed, wholly or in part
	DeletedEvents      int64 // messages deleted
	Invocations        int64 // calls of the function, repeated ones included
	ReceiveErrors      int64 // receives that failed and were retried
	DeleteErrors       int64 // delete entries that failed, each try counted
}

// A Mapping is a Lambda event source mapping of one SQS queue. Make one with
// [NewMapping]; run it with Run.
type Mapping struct {
	opts MappingOptions
	fifo bool
	seq  atomic.Int64
	hook chan struct{} // held while Fault or Observe runs; a mutex would stop a synctest clock

	polled, invoked, failedInvoke, deleted, invocations, receiveErrors, deleteErrors atomic.Int64
}

// NewMapping returns a mapping that does nothing yet. It panics on options that
// AWS would not accept.
func NewMapping(opts MappingOptions) *Mapping {
	if opts.BatchSize == 0 {
		opts.BatchSize = 10
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 1
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	m := &Mapping{
		opts: opts,
		fifo: strings.HasSuffix(opts.QueueURL, ".fifo"),
		hook: make(chan struct{}, 1),
	}
	m.check()
	return m
}

// defaultTimeout is the timeout of a function that AWS was told nothing about.
const defaultTimeout = 3 * time.Second

func (m *Mapping) check() {
	o := m.opts
	switch {
	case o.Queue == nil:
		panic("lambdatest: MappingOptions.Queue is required")
	case o.QueueURL == "":
		panic("lambdatest: MappingOptions.QueueURL is required")
	case o.Function == nil:
		panic("lambdatest: MappingOptions.Function is required")
	case o.BatchSize < 1 || o.BatchSize > 10_000:
		panic("lambdatest: MappingOptions.BatchSize must be 1 to 10,000")
	case m.fifo && o.BatchSize > 10:
		panic("lambdatest: MappingOptions.BatchSize must be 1 to 10 on a FIFO queue")
	case m.fifo && o.BatchingWindow != 0:
		panic("lambdatest: MappingOptions.BatchingWindow is for standard queues only")
	case o.BatchingWindow < 0 || o.BatchingWindow > 5*time.Minute:
		panic("lambdatest: MappingOptions.BatchingWindow must be at most 5 minutes")
	case o.BatchSize > 10 && o.BatchingWindow < time.Second:
		panic("lambdatest: MappingOptions.BatchSize above 10 needs a BatchingWindow of at least 1 second")
	case o.Concurrency < 1:
		panic("lambdatest: MappingOptions.Concurrency must be positive")
	case o.Timeout < 0:
		panic("lambdatest: MappingOptions.Timeout must be positive")
	}
}

// Counts returns the totals so far.
func (m *Mapping) Counts() Counts {
	return Counts{
		PolledEvents:       m.polled.Load(),
		InvokedEvents:      m.invoked.Load(),
		FailedInvokeEvents: m.failedInvoke.Load(),
		DeletedEvents:      m.deleted.Load(),
		Invocations:        m.invocations.Load(),
		ReceiveErrors:      m.receiveErrors.Load(),
		DeleteErrors:       m.deleteErrors.Load(),
	}
}

// Run polls and invokes until ctx ends, then waits for the running invocations
// and settles them, and returns nil. A batch that was not invoked by then is
// left to the visibility timeout. It returns an error at once when AWS would
// refuse the mapping, and later only when the queue no longer exists.
//
// A function that ignores its context after its deadline keeps Run from
// returning, but no batch waits for it.
func (m *Mapping) Run(ctx context.Context) error {
	q, err := m.describe(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		workers, running sync.WaitGroup
		first            = make(chan error, 1)
	)
	for range m.opts.Concurrency {
		w := &worker{Mapping: m, queue: q, call: caller{
			function: m.opts.Function,
			timeout:  m.opts.Timeout,
			running:  &running,
			count:    func() { m.invocations.Add(1) },
		}}
		workers.Go(func() {
			if err := w.run(ctx); err != nil {
				select {
				case first <- err:
				default:
				}
				stop()
			}
		})
	}
	workers.Wait()
	running.Wait()
	select {
	case err := <-first:
		return err
	default:
		return nil
	}
}
