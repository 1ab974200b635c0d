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
	at           time.Duration
	effect       int // by the clock, 0 without one
	effectAt     time.Duration
	failed       bool // as planned, after its effect
}

// recorded is a completion that its worker was told of.
type recorded struct {
	key   int
	fence int64
	at    int
}

// hurt is one request that met a fault; a slow one keeps its sender waiting.
type hurt struct {
	at   time.Duration
	slow bool
}

func newLedger() *ledger {
	return &ledger{began: time.Now(), hurt: map[*process][]hurt{}, stats: NewStats()}
}

func (l *ledger) since() time.Duration { return time.Since(l.began) }

// tick returns the next moment. l.mu is held.
func (l *ledger) tick() int {
	l.clock++
	return l.clock
}

// start notes that a handler was started; nil when its process is dead.
func (l *ledger) start(p *process, key, message int, fence int64) (*run, int) {
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
	r := &run{key: key, message: message, proc: p, fence: fence, began: l.tick(), at: l.since()}
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
	r.ended, r.failed = l.tick(), failed
}

// fault notes that a request of p met a fault.
func (l *ledger) fault(p *process, side Side, f Fault, kind Trouble, op string) {
	l.hear(p, nil, fmt.Sprintf("%s of its %s", f.told(kind), op))
	l.trouble(kind)
	if side != DynamoDB {
		return
	}
	slow := f.Kind == Delay || f.Kind == DelayResponse || f.Kind == Late || f.Kind == Hold
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurt[p] = append(l.hurt[p], hurt{l.since(), slow})
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
		p.outlived[p.w.keyOf(e.Key)] = true
		l.mu.Unlock()
	}
}
