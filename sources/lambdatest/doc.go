// Package lambdatest is AWS Lambda's side of a test: it delivers SQS batches
// and asynchronous events to a function as AWS does, with AWS's rules for what
// counts as failure, and it can take every liberty that AWS may take.
//
// A [Mapping] is an event source mapping: it polls a queue, invokes a function
// with the SQS event and deletes what the answer allows it to delete.
//
//	m := lambdatest.NewMapping(lambdatest.MappingOptions{
//		Queue:                   client, // an *sqs.Client, or a fake with its methods
//		QueueURL:                url,
//		Function:                lambdatest.Function{Handler: lambda.NewHandler(handle)},
//		ReportBatchItemFailures: true,
//	})
//	err := m.Run(ctx)
//
// An [Async] delivers one event as EventBridge rules do: invoked, retried after
// one and two minutes, then handed to the on-failure destination.
//
// What is invoked is an [Invoker]. [HandlerFunc] and [Function] run a function
// in this process, so that a test in a testing/synctest bubble sees only fake
// time. A [Runtime] runs the compiled binary against a Lambda Runtime API, and
// can kill it at any moment, which is the crash test that no in-process double
// can give.
//
// # Where AWS differs
//
// Each worker of a Mapping polls, invokes and deletes in turn; AWS polls ahead
// of its invocations and scales the pollers. A Runtime is one execution
// environment: an invocation that finds no free slot waits for one instead of
// starting another environment. A function in this process cannot be killed at
// its deadline: its batch fails on time and its answer is ignored, but its code
// runs on until it notices its context, and Run waits for it in the end.
package lambdatest
