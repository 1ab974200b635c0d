package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// ledger is what the next system has seen, and the judge.
type ledger struct {
	mu     sync.Mutex
	orders map[dedupe.Key]*order
	faults []string

	effects int
	doubled int         // effects after another of the same order, all excused
	by      map[int]int // of them, by the life that had the effect before
}

// order is what is known of one order.
type order struct {
	name     string
	effects  int
	fence    int64 // the largest
	life     int   // that had the latest effect
	recorded bool  // as done, when the store was last read
}

func newLedger() *ledger {
	return &ledger{orders: map[dedupe.Key]*order{}, by: map[int]int{}}
}

// sent is told of an order before it can be done.
func (l *ledger) sent(key dedupe.Key, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orders[key] == nil {
		l.orders[key] = &order{name: name}
	}
}

// effect is told of an effect that a life of the worker has had.
func (l *ledger) effect(key dedupe.Key, fence int64, life int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.orders[key]
	if o == nil {
		l.fault("an effect under the key %q, which no order has", key)
		return
	}
	l.effects++
	o.effects++
	switch {
	case o.recorded:
		l.fault("%s was recorded as done and ran again, in life %d", o.name, life)
	case o.effects > 1 && o.life == life:
		l.fault("%s ran twice in life %d, which was not killed in between", o.name, life)
	case o.effects > 1: // its life was killed, and had not recorded it
		l.doubled++
		l.by[o.life]++
	}
	if fence <= o.fence {
		l.fault("%s: fencing number %d after %d", o.name, fence, o.fence)
	}
	o.fence, o.life = max(o.fence, fence), life
}

// open returns the orders that were not recorded as done when the store was
// last read.
func (l *ledger) open() (keys []dedupe.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, o := range l.orders {
		if !o.recorded {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// recorded is told that the store has an order as done, while no worker lives.
func (l *ledger) recorded(key dedupe.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.orders[key]
	if o.recorded = true; o.effects == 0 {
		l.fault("%s is recorded as done and had no effect", o.name)
	}
}

// done returns the orders that were recorded as done when the store was last
// read.
func (l *ledger) done() (keys []dedupe.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, o := range l.orders {
		if o.recorded {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// ended is told that all is over.
func (l *ledger) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.orders {
		switch {
		case o.effects == 0:
			l.fault("%s was lost: it had no effect", o.name)
		case !o.recorded:
			l.fault("%s had its effect and is not recorded as done", o.name)
		}
	}
}

// found adds a fault that somebody else found.
func (l *ledger) found(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault(format, args...)
}

// fault notes a fault. l.mu is held.
func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}
