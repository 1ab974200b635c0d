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
	// Decode takes an envelope off each SQS message, such as
	// [sources.EventBridge] behind a rule that sends to the queue; a message
	// that it refuses fails. For SQS only. Defaults to none.
	Decode sources.Decoder

	// Concurrency is how many handlers run at once, over all invocations of
	// the process. Defaults to 10.
	Concurrency int

	// Reserve is the time before the function's deadline that is kept for
	// giving an answer, as in [batch.Options]. Defaults to a tenth of the time
	// that is left at the start, at least 500 ms and at most 5 s.
	Reserve time.Duration

	// StopOnFailure makes a failed record of a FIFO queue stop all of the
	// batch that stands behind it and has not started. For SQS only. Defaults
	// to false: it stops its message group.
	StopOnFailure bool

	// ReportAllFailed answers with a list of all records when every one of
	// them failed, so that the invocation counts as successful. For SQS only.
	// Defaults to false: the invocation fails with an [AllFailedError], which
	// is safe without ReportBatchItemFailures, shows in Lambda's metrics and
	// makes Lambda slow down.
	ReportAllFailed bool

	// Observer is told when a batch is done. What happens to each record is
	// told to the guard's own. Defaults to none.
	Observer consumer.Observer
}

// only returns the one Options that a caller of the constructor may give.
func only(constructor string, h consumer.Handler, opts []Options) Options {
	var o Options
	switch {
	case h == nil:
		panic("lambdasource: " + constructor + " needs a handler")
	case len(opts) > 1:
		panic("lambdasource: " + constructor + " takes one Options")
	case len(opts) == 1:
		o = opts[0]
	}
	switch {
	case o.Concurrency < 0:
		panic("lambdasource: " + constructor + ": negative Options.Concurrency")
	case o.Reserve < 0:
		panic("lambdasource: " + constructor + ": negative Options.Reserve")
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
		Observer:      o.Observer,
	})
}
