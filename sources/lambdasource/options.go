package lambdasource

import (
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
)

// Options configure a handler. The zero value is safe.
type Options struct {
	// Decode takes an envelope off each record, such as [sources.EventBridge]
	// behind a rule that sends to the queue; a record that it refuses fails.
	// For SQS, Pipes, SNS and Kinesis only. Defaults to none.
	Decode sources.Decoder

	// Split makes several records of a message that holds several, such as
	// [sources.S3Event], after Decode. Each has a key of its own; the message
	// is done when all of them are. For SQS and Pipes only. Defaults to none.
	Split sources.Splitter

	// Concurrency is how many handlers run at once, over all invocations of
	// the process. Defaults to 10.
	Concurrency int

	// Reserve is the time before the function's deadline that is kept for
	// giving an answer, as in [batch.Options]. Defaults to a tenth of the time
	// that is left at the start, at least 500 ms and at most 5 s.
	Reserve time.Duration

	// StopOnFailure makes a failed record of a FIFO queue or a stream stop all
	// of the batch that stands behind it and has not started. For queues and
	// streams only. Defaults to false: it stops its message group, partition
	// key or item.
	StopOnFailure bool

	// ReportAllFailed answers with a list of all records when every one of
	// them failed, so that the invocation counts as successful. For queues and
	// streams only. Defaults to false: it fails with a [FailedError], which
	// is safe without ReportBatchItemFailures, shows in Lambda's metrics and
	// makes Lambda slow down.
	ReportAllFailed bool

	// Observer is told when a batch is done. What happens to each record is
	// told to the guard's own. Defaults to none.
	Observer consumer.Observer
}

// only returns the one Options that a caller of the constructor may give.
func (s source) only(guard *dedupe.Guard, h consumer.Handler, opts []Options) Options {
	var o Options
	switch {
	case h == nil:
		panic("lambdasource: " + s.name + " needs a handler")
	case len(opts) > 1:
		panic("lambdasource: " + s.name + " takes one Options")
	case len(opts) == 1:
		o = opts[0]
	}
	why := ""
	switch {
	case o.Concurrency < 0:
		why = "negative Options.Concurrency"
	case o.Reserve < 0:
		why = "negative Options.Reserve"
	case o.Decode != nil && !s.decodes:
		why = "Options.Decode is for SQS, Pipes, SNS and Kinesis only"
	case o.Split != nil && !s.splits:
		why = "Options.Split is for SQS and Pipes only"
	case o.StopOnFailure && !s.partial:
		why = "Options.StopOnFailure is for queues and streams only"
	case o.ReportAllFailed && !s.partial:
		why = "Options.ReportAllFailed is for queues and streams only"
	case guard.Reprocesses() && o.Decode == nil && !s.replays:
		why = "the guard has Options.Reprocess, and no record of this source has the name of a replay:" +
			" only EventBridge events have one"
	}
	if why != "" {
		panic("lambdasource: " + s.name + ": " + why)
	}
	return o
}

// processor returns the Processor that all invocations share.
func (o *Options) processor(guard *dedupe.Guard, h consumer.Handler, decode sources.Decoder) *batch.Processor {
	return batch.New(guard, h, batch.Options{
		Concurrency:   o.Concurrency,
		Reserve:       o.Reserve,
		StopOnFailure: o.StopOnFailure,
		Decode:        decode,
		Split:         o.Split,
		Observer:      o.Observer,
	})
}
