package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// ledger is what the world knows: every run that began, every effect, and why
// each of them may be followed by another.
type ledger struct {
	mu    sync.Mutex
	began time.Time
	clock int // orders what happens at one instant
	runs  []*run
	done  []recorded
	hurt  map[*process][]hurt // requests to the store that met a fault
	heard []heardEvent        // for the story of a key
	odd   []string            // what must not happen, seen while it did
	stats Stats
}

// run is one start of a handler.
type run struct {
	key, message int
	proc         *process
	fence        int64
	began, ended int // by the clock; ended is 0 while it runs
	at, endedAt  time.Duration
	cutoff       time.Duration // when its batch ends it, 0 without a deadline
	effect       int           // by the clock, 0 without one
	effectAt     time.Duration
	failed       bool // as planned, after its effect
}

// recorded is a completion that its worker was told of.
type recorded struct {
	key   int
	fence int64
	at    int
}

// hurt is one request that met a fault.
type hurt struct {
	at    time.Duration
	waits time.Duration // how long its sender waits for it, 0 when it fails at once
	keys  []int         // that it is about
}

// moment is a time, and its place among what happens at one instant.
type moment struct {
	tick int
	at   time.Duration
}

func newLedger() *ledger {
	return &ledger{began: time.Now(), hurt: map[*process][]hurt{}, stats: NewStats()}
}

func (l *ledger) since() time.Duration { return time.Since(l.began) }

// tick counts what happens. l.mu is held.
func (l *ledger) tick() int {
	l.clock++
	return l.clock
}

// now returns the next moment. l.mu is held.
func (l *ledger) now() moment { return moment{l.tick(), l.since()} }

// start notes that a handler was started, whose context ends at cutoff; nil
// when its process is dead.
func (l *ledger) start(p *process, key, message int, fence int64, cutoff time.Duration) (*run, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.isDead() {
		return nil, 0
	}
	nth := 0
	for _, r := range l.runs {
		if r.key == key {
			nth++
		}
	}
	r := &run{key: key, message: message, proc: p, fence: fence, began: l.tick(), at: l.since(), cutoff: cutoff}
	l.runs = append(l.runs, r)
	l.stats.Runs++
	return r, nth
}

// effect makes the effect of a run, and reports false when its process is dead.
func (l *ledger) effect(r *run) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.proc.isDead() {
		return false
	}
	r.effect, r.effectAt = l.tick(), l.since()
	l.stats.Effects++
	return true
}

// end notes that a handler returned; failed, that it was to fail after its
// effect.
func (l *ledger) end(r *run, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.ended, r.endedAt, r.failed = l.tick(), l.since(), failed
}

// fault notes that a request of p, which is about these keys, met a fault.
func (l *ledger) fault(p *process, side Side, f Fault, kind Trouble, op string, keys []int) {
	l.hear(p, nil, fmt.Sprintf("%s of its %s", f.told(kind), op))
	l.trouble(kind)
	if side != DynamoDB {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurt[p] = append(l.hurt[p], hurt{l.since(), f.waits(), keys})
}

// waits returns how long the sender of a request waits because of a fault. What
// arrives late fails at once.
func (f Fault) waits() time.Duration {
	switch f.Kind {
	case Delay, DelayResponse, Hold:
		return min(ms(f.Ms), requestTimeout)
	default:
		return 0
	}
}

// hear keeps what a process says, or a fault that it met.
func (l *ledger) hear(p *process, e consumer.Event, met string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, heardEvent{l.since(), p, e, met})
}

// trouble counts what went wrong.
func (l *ledger) trouble(t Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Faults[t]++
}

// strange notes what must not happen.
func (l *ledger) strange(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd = append(l.odd, l.since().String()+": "+what)
}

// Observe notes what a process says of itself.
func (p *process) Observe(_ context.Context, e consumer.Event) {
	l := p.w.ledger
	l.hear(p, e, "")
	if p.w.trace != nil {
		_, text := about(e)
		p.w.trace(fmt.Sprintf("%v %s %s", l.since(), p.name, text))
	}
	switch e := e.(type) {
	case consumer.Completed:
		l.mu.Lock()
		l.done = append(l.done, recorded{key: p.w.keyOf(e.Key), fence: e.Fence, at: l.tick()})
		l.stats.Completions++
		l.mu.Unlock()
	case consumer.Abandoned:
		p.abandoned.Store(true)
		l.mu.Lock()
		key := p.w.keyOf(e.Key)
		p.outlived[key] = append(p.outlived[key], l.now())
		l.mu.Unlock()
	}
}
