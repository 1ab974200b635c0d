// Package lambdasource lets a handler be an AWS Lambda function behind a queue,
// a pipe or a stream, or one that is invoked with events, and an
// [net/http.Handler] one behind API Gateway or a function URL.
//
//	lambda.Start(lambdasource.SQS(guard, consumer.JSON(place)))
//	lambda.Start(lambdasource.EventBridge(guard, consumer.JSON(place)))
//	lambda.Start(lambdasource.HTTP(httpsource.Once(guard, orders)))
//
// [SQS], [Pipes], [Kinesis] and [DynamoDBStream] answer with the records that
// failed; [EventBridge], [SNS], [Scheduler] and [EventBus] fail when a record
// did. What identifies a record of each is in the documentation of package
// sources.
//
// No record is acknowledged without proof that it is done. A payload that is
// not what the handler reads fails the invocation with a [PayloadError]
// instead of passing for an empty one, and a record that is broken in itself
// fails alone.
//
// # Queues and streams
//
// The event source mapping must have ReportBatchItemFailures in its
// FunctionResponseTypes: without it Lambda ignores which records failed and
// goes on without them. Only an invocation in which every record failed is safe
// without it, since that is an error ([FailedError]) by default.
//
// Of a stream, Lambda comes back with everything from the lowest sequence
// number that failed, until the record is done or too old: give the mapping a
// MaximumRetryAttempts or a MaximumRecordAgeInSeconds and an on-failure
// destination.
//
// # Events
//
// A failed event is an error of the invocation. Lambda tries it twice more,
// after one and two minutes; then it goes to the function's on-failure
// destination, never to the rule's dead-letter queue. An event that another
// worker holds is such an error too, so keep the guard's lease below one
// minute: then the first retry finds it ended. A custom event bus waits 1 to
// 30 s for an invocation: a function that takes longer is invoked again while
// it runs, and that one fails until the first is through.
//
// # HTTP
//
// [HTTP] adapts any [net/http.Handler]; what makes it run once is
// httpsource.Once. Payloads of version 1.0 and 2.0 say which they are. Nobody
// invokes the function a second time for a request: the client comes again.
package lambdasource
