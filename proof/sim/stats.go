package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Stats counts what happened. A play counts as drawn until somebody says
// otherwise.
type Stats figures.Simulation

// Trouble is a kind of what went wrong, as the statistics tell it.
type Trouble = string

// The kinds of trouble.
const (
	DroppedBefore   Trouble = "drop before"                // a request, or its connection
	CutOff          Trouble = "cut off from the store"     // a request of a process that cannot reach it
	DroppedAfter    Trouble = "drop after apply"           // an answer
	Delayed         Trouble = "delay"                      // of a request or an answer, shorter than a lease
	DelayedPast     Trouble = "delay past the lease"       // and longer
	AppliedLate     Trouble = "applied after it was lost"  // a request whose client has given it up
	Throttled       Trouble = "throttle"                   // a request, or an invocation
	Failed          Trouble = "5xx"                        //
	PartlyFailed    Trouble = "partial batch failure"      // entries, statements, keys
	FalseChecksum   Trouble = "bad checksum"               //
	Truncated       Trouble = "truncated answer"           //
	Conflicts       Trouble = "transaction holds its item" // and refuses others
	DeliveredTwice  Trouble = "duplicate delivery"         // while it was in flight, or after it was deleted
	InvokedTwice    Trouble = "duplicate invocation"       // at once, again, or with doubled records
	LostInvocation  Trouble = "lost invocation response"   //
	AnotherClock    Trouble = "clock offset"               // of a process
	Killed          Trouble = "kill"                       // of a process, by Lambda too when an invocation takes too long
	PassedDeadlines Trouble = "deadline"                   // of an invocation, while handlers run
)

func troubles() []Trouble {
	return []Trouble{
		DroppedBefore, CutOff, DroppedAfter, Delayed, DelayedPast, AppliedLate, Throttled, Failed, PartlyFailed, FalseChecksum,
		Truncated, Conflicts, DeliveredTwice, InvokedTwice, LostInvocation, AnotherClock, Killed, PassedDeadlines,
	}
}

// NewStats returns statistics of nothing.
func NewStats() Stats {
	s := Stats{Faults: map[Trouble]int{}}
	for _, t := range troubles() {
		s.Faults[t] = 0
	}
	return s
}

// Add adds what happened in another play. Both were made by [NewStats].
func (s *Stats) Add(o Stats) {
	s.Plays += o.Plays
	s.Kept += o.Kept
	s.Messages += o.Messages
	s.Deliveries += o.Deliveries
	s.Runs += o.Runs
	s.Effects += o.Effects
	s.Repeats += o.Repeats
	s.Completions += o.Completions
	s.Requests += o.Requests
	s.Kills += o.Kills
	s.Histories += o.Histories
	s.Operations += o.Operations
	s.Undecided += o.Undecided
	for t, n := range o.Faults {
		s.Faults[t] += n
	}
}

// String says it in a sentence.
func (s Stats) String() string {
	faults := 0
	for n := range maps.Values(s.Faults) {
		faults += n
	}
	return fmt.Sprintf("sim: %d schedules, and %d that failed once: %d messages, %d deliveries, %d runs, %d effects (%d repeated, each excused), "+
		"%d requests, %d faults, %d of them kills; %d histories with %d operations linearized, %d undecided",
		s.Plays, s.Kept, s.Messages, s.Deliveries, s.Runs, s.Effects, s.Repeats,
		s.Requests, faults, s.Kills, s.Histories, s.Operations, s.Undecided)
}

// trouble returns what a fault means to a request with so many members, and
// false when it does not concern this one: an entry of a batch does not fail
// where there is no batch, nor one that is not there.
func (f Fault) trouble(op string, members int, lease time.Duration) (Trouble, bool) {
	batch := func(ops ...string) (Trouble, bool) { return PartlyFailed, slices.Contains(ops, op) && f.hits(members) }
	switch f.Kind {
	case Drop:
		return DroppedBefore, true
	case DropAfter:
		return DroppedAfter, true
	case Delay, DelayResponse:
		if ms(f.Ms) >= lease {
			return DelayedPast, true
		}
		return Delayed, true
	case Late:
		return AppliedLate, true
	case Throttle:
		return Throttled, true
	case ServerError:
		return Failed, true
	case Entries:
		return batch("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
	case Statements:
		return batch("BatchExecuteStatement", "TransactWriteItems")
	case Unprocessed:
		return batch("BatchGetItem")
	case BadMD5:
		return FalseChecksum, op == "ReceiveMessage" || op == "SendMessage" || op == "SendMessageBatch"
	case Truncate:
		return Truncated, true
	case Hold:
		return Conflicts, op == "TransactWriteItems"
	}
	return "", false
}

// hits reports whether the mask names one of so many members.
func (f Fault) hits(members int) (hit bool) {
	f.masked(func(i int) { hit = hit || i < members })
	return hit
}

// told names the trouble that a fault is, with its time where it has one.
func (f Fault) told(kind Trouble) string {
	switch kind {
	case Delayed, DelayedPast, AppliedLate, Conflicts:
		return fmt.Sprintf("%s (%v)", kind, ms(f.Ms))
	default:
		return kind
	}
}

// surplus counts the deliveries of a queue that nobody waited for: of messages
// that were deleted, and of those that were in flight for certain, because
// their visibility timeout had not passed and was not changed.
func surplus(history []sqstest.Event, queue string, visibility time.Duration) (n int) {
	type state struct {
		deleted bool
		until   time.Time
	}
	known := map[string]state{}
	for _, e := range history {
		if e.Queue != queue {
			continue
		}
		for _, id := range e.MessageIDs {
			was := known[id]
			switch e.Op {
			case "ReceiveMessage":
				if was.deleted || e.Time.Before(was.until) {
					n++
				}
				was.until = e.Time.Add(visibility)
			case "DeleteMessage", "DeleteMessageBatch":
				was.deleted = true
			case "ChangeMessageVisibility", "ChangeMessageVisibilityBatch":
				was.until = time.Time{}
			default:
				continue
			}
			known[id] = was
		}
	}
	return n
}
