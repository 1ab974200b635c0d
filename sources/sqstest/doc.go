// Package sqstest is an Amazon SQS server that lives inside a test: the real
// [sqs.Client] of the AWS SDK talks to it in process, without a socket, or
// over TCP.
//
// The server keeps the promises and the surprises of the service that a
// consumer has to live with: a new receipt handle for every receive,
// visibility timeouts, long polls, FIFO groups and deduplication, dead-letter
// queues, message move tasks, partial batch failures, and the error types and
// HTTP statuses the SDK knows. Faults are opt-in: see [Server.Fault] for
// faults of the wire and [Options] for those of standard queues. What AWS
// documents is written down in schedules of requests; the tests play each on
// this server, and on servers of others.
//
// # Time
//
// The server reads time.Now and waits on channels and timers only, and starts
// no goroutine of its own until [Server.Start]. In a [testing/synctest] bubble
// it therefore follows the bubble's clock: a visibility timeout of twelve
// hours passes at once. Create the Server inside the bubble that uses it, and
// use [Server.Client] there; a TCP connection never blocks durably.
//
// # What it leaves out
//
// Tags, permissions, encryption and IAM are absent, and so is the Query
// protocol: only AWS JSON 1.0 is understood. Signatures are not checked. A
// RedriveAllowPolicy is stored and not enforced. A MessageGroupId on a
// standard queue is kept and returned, but the order of delivery does not
// depend on it. Counts called approximate by the service are exact here.
package sqstest
