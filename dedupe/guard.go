package dedupe

import (
	"context"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Options configure a [Guard].
type Options struct {
	// Consumer scopes the keys: two consumers with different names never
	// share a row, so that they can share a store. Keep it when code is
	// renamed, or finished work runs again. Required.
	Consumer string

	// Key says what makes two records the same work. Defaults to [ID].
	Key KeyFunc

	// Fingerprint, if set, is kept with the claim and compared with that of
	// later records of the same key: a difference is a [MismatchError].
	// Defaults to none.
	Fingerprint FingerprintFunc

	// Lease is how long a claim holds without being extended: how long a
	// record waits after its worker was killed. While a handler runs its
	// lease is kept alive; it never reaches past the deadline of the batch. At
	// least 10 ms. Defaults to 30 s.
	Lease time.Duration

	// Skew is the largest difference between the clocks of two workers, and
	// the margin that a lease must have left when its handler starts.
	// Defaults to 1 s, and to a fifth of Lease when that is shorter.
	Skew time.Duration

	// Retention is how long a record is remembered, from the last change of
	// its row: a finished one from its completion. Defaults to 14 days.
	Retention time.Duration

	// Redelivery is the longest time after which a record can still come
	// again: the queue's retention, that of its dead-letter queue and the
	// window in which you redrive. A Retention below it is told to the
	// Observer as [consumer.RetentionShort]. Defaults to unknown.
	Redelivery time.Duration

	// AtMostOnce refuses to run a record whose earlier run may have happened:
	// it is parked instead, and so is, rarely, one whose claim was lost on the
	// way. A store may still collect the row of a run that died once Retention
	// and lease have passed. Defaults to false: such a record runs again.
	AtMostOnce bool

	// StoreTimeout bounds one call to the store. Defaults to 5 s.
	StoreTimeout time.Duration

	// SettleTimeout bounds how long a completion is tried again when the
	// store does not answer. Defaults to 10 s.
	SettleTimeout time.Duration

	// Observer is told what happens to each record. A panic of it is ignored.
	// Defaults to none.
	Observer consumer.Observer
}

const (
	defaultLease         = 30 * time.Second
	leastLease           = 10 * time.Millisecond
	defaultSkew          = time.Second
	defaultRetention     = 14 * 24 * time.Hour
	defaultStoreTimeout  = 5 * time.Second
	defaultSettleTimeout = 10 * time.Second
)

// Guard lets the work of each key succeed once. It is safe for concurrent
// use; a nil *Guard guards nothing and lets every record run.
type Guard struct {
	o     Options
	keys  keyer
	comb  combiner
	short sync.Once // the warning about retention is told once
	pool  sync.Pool // of *scratch

	mu      sync.Mutex
	flights map[Key]*Ticket // the leader of each key that this process works on
}

// New returns a Guard over store. It panics when store or o.Consumer is
// missing or a duration is negative.
func New(store Store, o Options) *Guard {
	switch {
	case store == nil:
		panic("dedupe: New needs a store")
	case o.Consumer == "":
		panic("dedupe: New needs Options.Consumer")
	case o.Lease < 0, o.Skew < 0, o.Retention < 0, o.Redelivery < 0, o.StoreTimeout < 0, o.SettleTimeout < 0:
		panic("dedupe: New: negative duration in Options")
	case o.Lease > 0 && o.Lease < leastLease:
		panic("dedupe: New: Options.Lease is below 10 ms")
	}
	o.Observer = consumer.Contained(o.Observer)
	if o.Key == nil {
		o.Key = ID
	}
	setDefault(&o.Lease, defaultLease)
	setDefault(&o.Skew, min(defaultSkew, o.Lease/5))
	setDefault(&o.Retention, defaultRetention)
	setDefault(&o.StoreTimeout, defaultStoreTimeout)
	setDefault(&o.SettleTimeout, defaultSettleTimeout)
	g := &Guard{o: o, keys: newKeyer(o.Consumer, o.Key), flights: make(map[Key]*Ticket)}
	g.comb.store = store
	g.comb.timeout = o.StoreTimeout
	g.comb.observer = o.Observer
	return g
}

// ClaimsLate reports whether claims must be made just before each handler,
// one by one: a claim of an at-most-once consumer that dies between claim and
// handler parks the record.
func (g *Guard) ClaimsLate() bool { return g != nil && g.o.AtMostOnce }

// Lease returns how long a claim holds without being extended, 0 for a nil
// Guard.
func (g *Guard) Lease() time.Duration {
	if g == nil {
		return 0
	}
	return g.o.Lease
}

// Retention returns how long a record is remembered, 0 for a nil Guard.
func (g *Guard) Retention() time.Duration {
	if g == nil {
		return 0
	}
	return g.o.Retention
}

// Observer returns the guard's observer, nil when it has none.
func (g *Guard) Observer() consumer.Observer {
	if g == nil {
		return nil
	}
	return g.o.Observer
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// lease returns the end of a lease that starts now. A lease outlasts neither
// its configured length nor the deadline of its batch by more than the skew.
func (g *Guard) lease(now Millis, deadline time.Time) Millis {
	end := now.Add(g.o.Lease)
	if !deadline.IsZero() {
		end = max(min(end, MillisOf(deadline)), now)
	}
	return end.Add(g.o.Skew)
}

// warnRetention tells once when finished records are forgotten too soon.
func (g *Guard) warnRetention(ctx context.Context) {
	if g.o.Observer == nil || g.o.Redelivery <= g.o.Retention {
		return
	}
	g.short.Do(func() {
		g.o.Observer.Observe(ctx, consumer.RetentionShort{Retention: g.o.Retention, Needed: g.o.Redelivery})
	})
}
