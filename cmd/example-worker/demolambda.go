package main

import (
	"context"
	"errors"
	"os/exec"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// way is how the demo's messages reach its worker.
type way interface {
	run(ctx context.Context) error // until ctx ends
	kill()                         // the worker's process, in the middle of its work
	close()
	deliveries() int
}

// The ways.
const (
	viaLambda = "lambda"
	viaPoll   = "poll"
)

// lambdaWay is a Lambda function behind an event source mapping.
type lambdaWay struct {
	runtime *lambdatest.Runtime
	mapping *lambdatest.Mapping
}

func newLambdaWay(d *demo, self, url string) *lambdaWay {
	w := &lambdaWay{runtime: lambdatest.NewRuntime(lambdatest.RuntimeOptions{
		Path: self, Args: append([]string{"lambda"}, d.workerArgs()...),
		MaxConcurrency: demoInvocations, Timeout: demoTimeout, Stderr: d.log,
	})}
	w.mapping = lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue: d.queue.Client(), QueueURL: url, Function: w.runtime,
		ReportBatchItemFailures: true, BatchSize: demoBatch, Concurrency: demoInvocations, Timeout: demoTimeout,
		Fault: d.fault, Observe: d.observe,
	})
	return w
}

func (w *lambdaWay) run(ctx context.Context) error { return w.mapping.Run(ctx) }
func (w *lambdaWay) kill()                         { w.runtime.Kill() }
func (w *lambdaWay) close()                        { w.runtime.Close() }
func (w *lambdaWay) deliveries() int               { return int(w.mapping.Counts().InvokedEvents) }

// fault tells the ledger what an invocation is given, and loses some answers.
func (d *demo) fault(seq int, messages []types.Message) lambdatest.Fault {
	var numbers []int
	for _, m := range messages {
		if n, ok := numberIn(aws.ToString(m.Body)); ok {
			numbers = append(numbers, n)
		}
	}
	d.ledger.given(seq, numbers)
	return lambdatest.Fault{DropResponse: d.luck.drops(seq)}
}

// observe counts what became of an invocation.
func (d *demo) observe(inv lambdatest.Invocation) {
	d.ledger.ended(inv.Seq)
	d.acked.Add(int64(len(inv.Deleted)))
	switch fe, failed := errors.AsType[*lambdatest.FunctionError](inv.Err); {
	case errors.Is(inv.Err, lambdatest.ErrResponseLost):
		d.dropped.Add(1)
	case failed && fe.Type == "Runtime.ExitError":
		d.refused.Add(1)
		if exit, ok := errors.AsType[*exec.ExitError](inv.Err); ok && exit.ExitCode() == exitUsage {
			d.unfit.Store(true) // unless it panicked: that has the same code, and says no mistake
		}
		return
	}
	d.refused.Store(0)
}
