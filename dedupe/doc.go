// Package dedupe lets the work of each idempotency key succeed once, however
// often its message is delivered.
//
// A [Guard] claims a record's key in a [Store] before the handler runs and
// completes it when the handler succeeded. A record that was finished before
// is skipped; one that another worker holds comes back later; one whose
// handler failed is released, so that a redelivery may run it. Every claim
// has an owner and a lease: what an owner writes after its key passed to
// another changes nothing.
//
// # Where the promise ends
//
// Within the retention, a record's handler succeeds once. An effect outside
// the store can still repeat, when a worker dies or cannot reach the store
// between the effect and its recording, or outlives its lease. Handlers can
// therefore pass on the key and the fencing number that [FromContext] gives,
// or, on a store with transactions, make their effect in the one that records
// it: see [CompleteWith].
//
// # Writing a store
//
// A [Store] has one method. [Step] says what it must do, and package
// dedupetest checks that it does.
package dedupe
