package consumer

import "time"

// Event is something that happened, as told to an [Observer]: one of the
// structs of this package, passed by value. New kinds may come with any
// release; an Observer passes over what it does not know.
type Event interface {
	// EventName is the stable name of the kind of event, in snake case, as
	// used in logs and metrics.
	EventName() string
}

// Claimed is told when a record's key was claimed: its handler may run.
type Claimed struct {
	Record   *Record
	Key      string
	Fence    int64 // the fencing number of this claim
	Claims   int   // how often the key has been claimed, this time included
	Failures int   // how many earlier runs failed
	TookOver bool  // the claim before it ran out of its lease
}

// Duplicate is told when a record was finished before: its handler does not
// run, and the record is acknowledged.
type Duplicate struct {
	Record      *Record
	Key         string
	CompletedAt time.Time // zero when InProcess
	InProcess   bool      // its twin was handled in this process at the same time
}

// InProgress is told when another worker holds the record's key. The record
// fails with a [RetryError] and comes back.
type InProgress struct {
	Record *Record
	Key    string
	Until  time.Time // the end of the other worker's lease
}

// Parked is told when a record of an at-most-once consumer ran, or may have
// run, without having been completed: it fails until a person decides.
type Parked struct {
	Record *Record
	Key    string
}

// Rejected is told when a record could not be admitted: no key, a fingerprint
// that differs, or a store that did not answer.
type Rejected struct {
	Record *Record
	Key    string // empty when there is none
	Err    error
}

// Completed is told when a handler succeeded and its completion is recorded.
type Completed struct {
	Record *Record
	Key    string
	Fence  int64
}

// CompletionLost is told when a handler succeeded and its completion was not
// recorded: another worker took over, or the store could not be reached. The
// record is reported as failed, and its effect may repeat, unless the worker
// that took over has completed it.
type CompletionLost struct {
	Record *Record
	Key    string
	Fence  int64
	Err    error
}

// Released is told when a claim is given up: its handler failed, or did not
// start. A redelivery may run the record.
type Released struct {
	Record   *Record
	Key      string
	Fence    int64
	Ran      bool  // the handler ran (and failed)
	Recorded bool  // the key is free now; else another worker has it, or its lease has to pass
	Err      error // why
}

// LeaseLost is told when the lease of a record that runs, or waits to run,
// ended or passed to another worker: its handler's context is cancelled, or it
// does not start.
type LeaseLost struct {
	Record *Record
	Key    string
	Fence  int64
	Err    error
}

// Abandoned is told when a handler ignored the end of its context: its record
// is reported as failed while the handler still runs.
type Abandoned struct {
	Record *Record
	Key    string
}

// Failed is told by a batch for each record that it reports as failed,
// whatever the reason: the one place to learn why a record comes back.
type Failed struct {
	Record *Record
	Err    error
}

// StoreFailed is told when a call to the store failed as a whole.
type StoreFailed struct {
	Ops int // how many operations were in the call
	Err error
}

// RetentionShort is told when finished records are forgotten sooner than the
// last redelivery can come.
type RetentionShort struct {
	Retention time.Duration // what the guard keeps
	Needed    time.Duration // source and dead-letter retention and the redrive window
}

// BatchDone is told when every record of a batch has its outcome.
type BatchDone struct {
	Records int // all of them
	Done    int // acknowledged: handled, or finished before
	Failed  int // reported as failed, those not started included
	Took    time.Duration
}

// Received is told when a receive from a queue brought messages.
type Received struct {
	Queue    string // its URL
	Messages int
	Asked    int // for how many
	Took     time.Duration
}

// Redelivered is told when a message came that is being handled in this
// process: it is not run, and its newer receipt handle is adopted.
type Redelivered struct {
	Record *Record
}

// Returned is told when a failed message is kept away for some time, after
// which it is tried again.
type Returned struct {
	Record *Record
	After  time.Duration
	Err    error // why it failed
}

// VisibilityLost is told when the visibility timeout of a message could not be
// extended: others may receive it, and its handler's context is cancelled.
type VisibilityLost struct {
	Record *Record
	Err    error
}

// DeleteFailed is told when a finished message could not be deleted. When it
// comes again it is deleted without being run.
type DeleteFailed struct {
	Record *Record
	Err    error
}

// DeadLettered is told when a message that no retry can mend was moved to the
// dead-letter queue, or, with an Err, could not be.
type DeadLettered struct {
	Record *Record
	Queue  string // the URL of the dead-letter queue
	Reason error  // why
	Err    error
}

// QueueFailed is told when a request to a queue failed that is made again
// after a while, or brought a message that cannot be used: one without an id or
// a receipt handle, which is left to its queue.
type QueueFailed struct {
	Queue string
	Op    string // the operation
	Err   error
	Wait  time.Duration
}

// QueueUnfit is told, when a poller starts, of a setting of its queue that
// contradicts others.
type QueueUnfit struct {
	Queue string
	Why   string // and what follows from it
}

// Paused is told when a poller stops receiving for a while because the store
// cannot be reached.
type Paused struct {
	Queue string
	Err   error // the store's
	Wait  time.Duration
}

// EventName returns "claimed".
func (Claimed) EventName() string { return "claimed" }

// EventName returns "duplicate".
func (Duplicate) EventName() string { return "duplicate" }

// EventName returns "in_progress".
func (InProgress) EventName() string { return "in_progress" }

// EventName returns "parked".
func (Parked) EventName() string { return "parked" }

// EventName returns "rejected".
func (Rejected) EventName() string { return "rejected" }

// EventName returns "completed".
func (Completed) EventName() string { return "completed" }

// EventName returns "completion_lost".
func (CompletionLost) EventName() string { return "completion_lost" }

// EventName returns "released".
func (Released) EventName() string { return "released" }

// EventName returns "lease_lost".
func (LeaseLost) EventName() string { return "lease_lost" }

// EventName returns "abandoned".
func (Abandoned) EventName() string { return "abandoned" }

// EventName returns "failed".
func (Failed) EventName() string { return "failed" }

// EventName returns "store_failed".
func (StoreFailed) EventName() string { return "store_failed" }

// EventName returns "retention_short".
func (RetentionShort) EventName() string { return "retention_short" }

// EventName returns "batch_done".
func (BatchDone) EventName() string { return "batch_done" }

// EventName returns "received".
func (Received) EventName() string { return "received" }

// EventName returns "redelivered".
func (Redelivered) EventName() string { return "redelivered" }

// EventName returns "returned".
func (Returned) EventName() string { return "returned" }

// EventName returns "visibility_lost".
func (VisibilityLost) EventName() string { return "visibility_lost" }

// EventName returns "delete_failed".
func (DeleteFailed) EventName() string { return "delete_failed" }

// EventName returns "dead_lettered".
func (DeadLettered) EventName() string { return "dead_lettered" }

// EventName returns "queue_failed".
func (QueueFailed) EventName() string { return "queue_failed" }

// EventName returns "queue_unfit".
func (QueueUnfit) EventName() string { return "queue_unfit" }

// EventName returns "paused".
func (Paused) EventName() string { return "paused" }
