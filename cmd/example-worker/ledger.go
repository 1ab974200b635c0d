package main

import (
	"crypto/sha256"
	"sync"
)

// ledger is the next system of the demo: it applies each Idempotency-Key
// once, and what it counts decides whether the demo went well. It also makes
// the failures that a next system can make.
type ledger struct {
	luck     luck
	oneBatch bool // there are no invocations: all calls of a process are one batch

	mu     sync.Mutex
	orders []order // by number
	keys   map[keyID]posting
	crash  crash
	totals totals
}

// order is what the ledger knows of one order. There are many.
type order struct {
	effects uint16
	refused bool  // it had its answer 500
	batch   int32 // the invocation that was given it, the latest
}

// keyID stands for an Idempotency-Key.
type keyID [16]byte

// posting is what the ledger knows of one key.
type posting struct {
	fence   int64 // of the latest call
	life    int32 // which process applied it
	applied bool
	cut     bool // and the answer never arrived
}

// totals are the ledger's counts.
type totals struct {
	effects    int // applied
	refused    int // calls answered 500 before anything was applied
	cut        int // connections cut after the effect was applied
	afterCut   int // calls absorbed whose first answer was cut
	afterCrash int // calls absorbed whose first caller was killed
	unexpected int // calls absorbed for another reason
	stale      int // calls whose fencing number had not grown
}

func (t totals) absorbed() int { return t.afterCut + t.afterCrash + t.unexpected }

// answer is how the ledger answers a call.
type answer int

const (
	answerDone   answer = iota // 200
	answerFail                 // 500, nothing was applied
	answerCut                  // applied, and the connection breaks
	answerStrike               // applied, and the caller is killed before it hears of it
	answerHold                 // nothing yet: ask again when the caller has been killed
)

func newLedger(orders int, l luck, oneBatch bool) *ledger {
	return &ledger{
		luck: l, oneBatch: oneBatch, orders: make([]order, orders), keys: make(map[keyID]posting, orders),
		crash: newCrash(orders),
	}
}

// call decides one call for order number n. life is the process that made it.
func (l *ledger) call(key string, fence int64, n int, life int32) answer {
	sum := sha256.Sum256([]byte(key))
	id := keyID(sum[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.crash.holds() {
		return answerHold
	}
	o, p := &l.orders[n], l.keys[id]
	if fence <= p.fence {
		l.totals.stale++
	}
	p.fence = max(p.fence, fence)
	defer func() { l.keys[id] = p }()

	if p.applied {
		l.absorb(&p, life)
		return answerDone
	}
	if l.oneBatch {
		l.crash.consider(0, l.crash.fresh, l.totals.effects)
	}
	victim := l.crash.victim(o.batch)
	if !victim && !o.refused && l.luck.refuses(n) {
		o.refused = true
		l.totals.refused++
		return answerFail
	}
	first := o.effects == 0
	o.effects++
	l.totals.effects++
	p.applied, p.life = true, life
	if victim {
		if l.crash.strikes() {
			return answerStrike
		}
	} else if first && l.luck.cuts(n) {
		p.cut = true
		l.totals.cut++
		return answerCut
	}
	return answerDone
}

// absorb counts a call for an effect that was applied before, by its reason.
// Each cut answer and each crash is a reason for one such call.
func (l *ledger) absorb(p *posting, life int32) {
	switch {
	case p.cut:
		l.totals.afterCut++
	case p.life < life:
		l.totals.afterCrash++
	default:
		l.totals.unexpected++
	}
	p.cut, p.life = false, life
}

// given is told which orders an invocation is given.
func (l *ledger) given(batch int, numbers []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := 0
	for _, n := range numbers {
		if l.orders[n].effects == 0 {
			fresh++
		}
		l.orders[n].batch = int32(batch)
	}
	l.crash.consider(int32(batch), fresh, l.totals.effects)
}

// ended is told that an invocation has ended.
func (l *ledger) ended(batch int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash.spare(int32(batch))
}

// killed is told that the process was killed and is gone.
func (l *ledger) killed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash.over()
}

// life returns the number of the process that makes calls now, and a channel
// that is closed when a process that is being killed is gone.
func (l *ledger) life() (life int32, gone <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crash.life, l.crash.gone
}

// count returns the totals so far.
func (l *ledger) count() totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// judge returns how many orders have no effect and how many more than one.
func (l *ledger) judge() (lost, doubled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.orders {
		switch {
		case o.effects == 0:
			lost++
		case o.effects > 1:
			doubled++
		}
	}
	return lost, doubled
}
