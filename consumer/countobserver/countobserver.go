// Package countobserver counts what happens to records, by consumer and
// outcome: for tests, experiments and whatever reads counters now and then.
//
// The outcome of an event is its name ("completed", "duplicate", "failed"),
// with these exceptions: a claim that took over from a worker whose lease ran
// out is "taken_over" instead of "claimed"; a batch that ended counts as
// "done" the records it acknowledged; a receive counts its messages. So there
// are some twenty outcomes for each consumer, however much happens.
//
// A record has several outcomes on its way: it is claimed, completed and done,
// or in progress elsewhere and failed. The share of duplicates, among what a
// guard let pass or skipped, is duplicate / (duplicate + completed).
package countobserver

import (
	"context"
	"maps"
	"sync"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Name names one counter.
type Name struct {
	Consumer string
	Outcome  string
}

// Counters are counters of any number of consumers. The zero value is ready
// to use; it is safe for concurrent use.
type Counters struct {
	mu sync.Mutex
	n  map[Name]int64
}

// Observer returns what counts for the consumer of that name: that of the
// guard's options, as a rule.
func (c *Counters) Observer(name string) consumer.Observer { return observer{c, name} }

// Snapshot returns a copy of all counters that are not zero.
func (c *Counters) Snapshot() map[Name]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		return map[Name]int64{}
	}
	return maps.Clone(c.n)
}

func (c *Counters) add(name Name, n int) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[Name]int64)
	}
	c.n[name] += int64(n)
}

type observer struct {
	counters *Counters
	consumer string
}

// Observe counts e.
func (o observer) Observe(_ context.Context, e consumer.Event) {
	outcome, n := outcomeOf(e)
	o.counters.add(Name{o.consumer, outcome}, n)
}

// outcomeOf returns what e counts as, and how often. Kinds of events that are
// not known here do not count: their names might be any number.
func outcomeOf(e consumer.Event) (outcome string, n int) {
	switch e := e.(type) {
	case consumer.Claimed:
		if e.TookOver {
			return "taken_over", 1
		}
		return e.EventName(), 1
	case consumer.BatchDone:
		return "done", e.Done
	case consumer.Received:
		return e.EventName(), e.Messages
	case consumer.Duplicate, consumer.InProgress, consumer.Parked, consumer.Rejected,
		consumer.Completed, consumer.CompletionLost, consumer.Released, consumer.LeaseLost,
		consumer.Abandoned, consumer.Failed, consumer.StoreFailed, consumer.RetentionShort,
		consumer.Redelivered, consumer.Returned, consumer.VisibilityLost, consumer.DeleteFailed,
		consumer.DeadLettered, consumer.QueueFailed, consumer.QueueUnfit, consumer.Paused:
		return e.EventName(), 1
	}
	return "", 0
}
