// Package sim plays whole systems in fake time and judges what came of them.
//
// A [Plan] says everything: the queue, the workers (Lambda functions behind an
// event source mapping, and pollers), the messages, how handlers behave, and
// what goes wrong: requests that are lost before or after they were applied,
// refused, throttled, delayed until their lease has passed, answered in part or
// with a false checksum; duplicate deliveries and invocations, clocks that
// differ, deadlines, and processes that are killed between any two requests or
// on either side of an effect. [Play] plays it in a bubble of testing/synctest,
// with the real SDK clients on the played SQS and DynamoDB, and returns what
// the ledger of effects holds against the promise.
//
// The tests draw plans with pgregory.net/rapid, which shrinks those that fail.
// A plan fixes what happens, and requests are let through one at a time in an
// order that its seed draws; what is left to chance are the jitter of backoffs
// and the order of goroutines within one instant. A finding comes with the story
// of its key: its messages in the queues, what processes said of it, the faults
// that these met. A failing plan is printed as JSON: put into testdata/plans it
// is played by every test from then on. With SIM_TRACE=1 in the environment each
// play tells what its processes observed and what the queue did.
package sim
