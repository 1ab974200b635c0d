package lambdatest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// AsyncOptions configures an [Async].
type AsyncOptions struct {
	// Function is invoked with each event. Required.
	Function Invoker

	// Timeout is the function's timeout. Defaults to 3 seconds.
	Timeout time.Duration

	// Attempts is how often the function is tried, 1 to 3: one more than AWS's
	// MaximumRetryAttempts. Defaults to 3.
	Attempts int

	// MaximumEventAge is how old an event may be when it is tried again, one
	// minute to six hours. Defaults to six hours.
	MaximumEventAge time.Duration

	// OnFailure receives the events that were given up, like an on-failure
	// destination. Defaults to dropping them.
	OnFailure func(AsyncFailure)

	// Fault decides what goes wrong with an attempt, counted from 1. An attempt
	// whose response is dropped or that is throttled is tried again like one
	// that failed; DuplicateRecords has no meaning here. Defaults to no faults.
	Fault func(attempt int) Fault
}

// An AsyncFailure is an event that was given up.
type AsyncFailure struct {
	Payload   []byte // the event, as it was given to Deliver
	Err       error  // the failure of the last attempt
	Condition string // RetriesExhausted or EventAgeExceeded, as in a destination record
	Attempts  int    // how often the function was tried
}

// An Async delivers events to a function by asynchronous invocation, which is
// what a target of an EventBridge rule gets. Make one with [NewAsync].
type Async struct {
	opts AsyncOptions
}

// NewAsync returns an Async that has delivered nothing yet. It panics on
// options that AWS would not accept.
func NewAsync(opts AsyncOptions) *Async {
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Attempts == 0 {
		opts.Attempts = 3
	}
	if opts.MaximumEventAge == 0 {
		opts.MaximumEventAge = 6 * time.Hour
	}
	switch {
	case opts.Function == nil:
		panic("lambdatest: AsyncOptions.Function is required")
	case opts.Timeout < 0:
		panic("lambdatest: AsyncOptions.Timeout must be positive")
	case opts.Attempts < 1 || opts.Attempts > 3:
		panic("lambdatest: AsyncOptions.Attempts must be 1 to 3")
	case opts.MaximumEventAge < time.Minute || opts.MaximumEventAge > 6*time.Hour:
		panic("lambdatest: AsyncOptions.MaximumEventAge must be 1 minute to 6 hours")
	}
	return &Async{opts: opts}
}

// Deliver hands one event to the function and returns when it is settled: nil
// when an attempt succeeded, the last failure after OnFailure was told of it.
// Retries come one and two minutes after the failures before them. Many events
// are many calls, each in a goroutine of the caller.
//
// The end of ctx ends the waiting between attempts, not an attempt; Deliver
// then returns ctx's error together with the last failure, and OnFailure is not
// called. Like [Mapping.Run] it waits for what it started.
func (a *Async) Deliver(ctx context.Context, payload []byte) error {
	var running sync.WaitGroup
	defer running.Wait()
	c := caller{function: a.opts.Function, timeout: a.opts.Timeout, running: &running, count: func() {}}
	begun := time.Now()
	for attempt := 1; ; attempt++ {
		var fault Fault
		if a.opts.Fault != nil {
			fault = a.opts.Fault(attempt)
		}
		_, err := c.call(ctx, payload, fault)
		if err == nil {
			return nil
		}
		if attempt == a.opts.Attempts {
			a.giveUp(AsyncFailure{payload, err, "RetriesExhausted", attempt})
			return err
		}
		delay := time.Duration(attempt) * time.Minute
		if time.Since(begun)+delay > a.opts.MaximumEventAge {
			a.giveUp(AsyncFailure{payload, err, "EventAgeExceeded", attempt})
			return err
		}
		if !pause.For(ctx, delay) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (a *Async) giveUp(f AsyncFailure) {
	if a.opts.OnFailure != nil {
		a.opts.OnFailure(f)
	}
}
