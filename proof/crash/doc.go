// Command crash kills workers for as long as it is told to and judges what is
// left. The worker is the example worker, compiled, behind a queue (poll) and
// as a Lambda function (lambda), on bbolt and on DynamoDB; it is killed with
// SIGKILL at random times and at named points: a request of it has arrived, or
// has been answered, and it will not live to hear of that.
//
//	go run ./crash -kills 200 -o ../dist/crash.md
//
// After each kill, with the process and all that it sent gone, the store is
// read: what is recorded as done by then must have had its effect, and may
// never have another one. In the end every order has had its effect, under
// fencing numbers that grow; one that had two had the first from a process
// that was killed before it had recorded it; the queue is empty, and so is its
// dead-letter queue.
//
// DynamoDB is the one that ONLYONCE_DYNAMODB_ENDPOINT names, else one that is
// played in this process, over TCP in any case.
package main
