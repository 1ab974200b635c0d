package model

import (
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Step has the shape of [dedupe.Step].
type Step = func(dedupe.Row, dedupe.Millis, dedupe.Op) (dedupe.Row, dedupe.Verdict)

// Config bounds a search. Lease and retention are in ticks; a lease is longer
// by the skew of one tick, as the guard's is.
type Config struct {
	Step      Step // Defaults to dedupe.Step.
	Workers   int  // that are at work at once. Required.
	Faults    int  // in all. Defaults to none.
	Lease     int  // Required.
	Retention int  // Required.
	Receives  int  // after so many the message is dead-lettered. Defaults to never.

	AtMostOnce    bool
	Transactional bool // effect and completion are one transaction

	Defects Defects // Defaults to none.

	// Only is the name of the one property to check. Defaults to all.
	Only string
}

// Defects are mistakes of a guard, to show that the properties find them.
type Defects struct {
	AckBusy             bool // a record in progress elsewhere is acknowledged
	AckUndecided        bool // so is one whose completion was not confirmed
	CompleteFirst       bool // the completion comes before the handler
	ReleaseAfterSuccess bool // a completion that stays undecided becomes a release
	StartWithoutMargin  bool // the handler starts whatever is left of the lease
}

// kind is what a step of the world is, for the rules of fairness.
type kind uint8

const (
	fault   kind = iota // used up sooner or later
	chance              // may happen or not: late copies, extends, the collection of rows
	passing             // time passes
	receive             // the queue delivers
	deliver             // a request reaches the store
	hear                // an answer reaches its worker
	decide              // a worker goes on after a call that stayed undecided
	start               // a handler starts, or is refused
	finish              // a handler succeeds
	kinds
)

// note says what happened, for traces.
type note struct {
	text    string
	actor   byte // its name, or zero
	op      packet
	clock   ticks
	applied bool
	outcome dedupe.Outcome
	row     dedupe.State
}

// successor is one step away.
type successor struct {
	state  state
	kind   kind
	note   note
	broken string // the property that the step breaks
}

// world makes successors.
type world struct {
	c      Config
	checks []Property
	out    []successor
	broken string
	cut    int // successors left out because a state has no room for them
	names  byte
}

func (w *world) first() state { return state{faults: int8(w.c.Faults)} }

// emit adds t as a successor.
func (w *world) emit(t *state, k kind, n note) {
	t.canonical(&w.c)
	w.out = append(w.out, successor{*t, k, n, w.broken})
	w.broken = ""
}

// next returns all that can happen in s. The slice is used again.
func (w *world) next(s *state) []successor {
	w.out = w.out[:0]
	w.time(s)
	w.queue(s)
	for i := range s.n {
		a := &s.actors[i]
		w.lateCopies(s, i)
		if a.phase == dead {
			continue
		}
		w.worker(s, i)
		switch a.call {
		case sent:
			w.request(s, i)
		case answered:
			w.heard(s, i)
		case undecided:
			w.decision(s, i)
		case none:
			w.handler(s, i)
		}
	}
	return w.out
}

// time lets time pass, unless somebody is in the middle of something or has a
// heartbeat to send, and lets the store collect what has expired on its clock.
func (w *world) time(s *state) {
	free := true
	for i := range s.n {
		a := &s.actors[i]
		free = free && (a.phase == dead || a.slow || a.phase == running && (a.lost || a.lease > 2*skew))
	}
	if free {
		t := *s
		t.tick()
		w.emit(&t, passing, note{text: "time passes"})
	}
	if r := s.row.real(); r.Expired(skew.millis()) {
		t := *s
		t.row = row{}
		t.overtake(skew)
		w.emit(&t, chance, note{text: "the store collects the expired row"})
	}
}

// queue delivers the message, once or once more.
func (w *world) queue(s *state) {
	live := 0
	for i := range s.n {
		if s.actors[i].phase != dead {
			live++
		}
	}
	if s.message == deadLettered && s.faults > 0 {
		t := *s
		t.faults--
		t.message, t.receives = visible, 0
		w.emit(&t, fault, note{text: "a person redrives the message"})
	}
	if live >= w.c.Workers {
		return
	}
	if s.n == maxActors {
		w.cut++
		return
	}
	for clock := ticks(0); clock <= skew; clock++ {
		if s.message == visible && !s.delayed {
			t := *s
			t.message = inFlight
			if w.c.Receives > 0 {
				t.receives++
			}
			a := w.join(&t, clock)
			a.carrier = true
			w.emit(&t, receive, note{text: "receives the message and claims", actor: a.name, op: a.op})
		}
		if s.faults > 0 {
			t := *s
			t.faults--
			a := w.join(&t, clock)
			w.emit(&t, fault, note{text: "receives a duplicate and claims", actor: a.name, op: a.op})
		}
	}
}

// join adds a worker with its claim on the way.
func (w *world) join(t *state, clock ticks) *actor {
	a := &t.actors[t.n]
	t.n++
	w.names++
	*a = actor{phase: claiming, name: w.names}
	a.send(w.packet(dedupe.OpClaim, clock))
	return a
}

// packet is a request made at clock.
func (w *world) packet(k dedupe.OpKind, clock ticks) packet {
	p := packet{kind: k, retain: clock + ticks(w.c.Retention)}
	if k == dedupe.OpClaim || k == dedupe.OpExtend {
		p.lease = clock + ticks(w.c.Lease) + skew
	}
	return p
}

func (a *actor) send(p packet) { a.op, a.call, a.tries = p, sent, a.tries+1 }

// apply has the store apply p of actor i at clock, checks what the properties
// say of it, and notes what they need to know later.
func (w *world) apply(t *state, i int8, p packet, clock ticks) (answer, note) {
	a := &t.actors[i]
	op := dedupe.Op{
		Kind: p.kind, Key: "k", Owner: token(i), LeaseEnd: p.lease.millis(), RetainEnd: p.retain.millis(),
		AtMostOnce: w.c.AtMostOnce && (p.kind == dedupe.OpClaim || p.kind == dedupe.OpRelease), Ran: p.ran,
	}
	if op.Kind == dedupe.OpComplete || op.Kind == dedupe.OpRelease {
		op.LeaseEnd = 0
	}
	before := t.row.real()
	after, v := w.c.Step(before, clock.millis(), op)
	w.check(&event{kind: applied, c: &w.c, s: t, i: i, now: clock, op: op, before: before, after: after, outcome: v.Outcome})
	if w.c.Transactional && p.kind == dedupe.OpComplete && v.Outcome == dedupe.Applied && before.State != dedupe.Completed {
		w.succeed(t, i)
	}
	w.remember(t, i, p, clock, &before, v.Outcome)
	if p.kind == dedupe.OpComplete && v.Outcome == dedupe.Applied && after.State == dedupe.Completed {
		t.recorded, a.completed = true, true
	}
	t.row = rowOf(&after)
	if v.Outcome == dedupe.Won && p.counts() {
		t.fence = max(t.fence, t.row.fence)
	}
	return answer{v.Outcome, v.Row.State, ticksOf(v.Row.LeaseEnd)},
		note{actor: a.name, op: p, clock: clock, applied: true, outcome: v.Outcome, row: after.State}
}

// counts reports whether the claim's fencing number must be above all before
// and below all after: not when it arrives so late that its row may be
// collected by a clock that is ahead before the clock of the next claim, which
// is behind, has come as far as this one's.
func (p packet) counts() bool { return p.retain > 2*skew }

// remember keeps account of who has the key and until when, from what was
// asked and answered: the row may be wrong.
func (w *world) remember(t *state, i int8, p packet, clock ticks, before *dedupe.Row, o dedupe.Outcome) {
	a := &t.actors[i]
	if o == dedupe.Won && (!before.Exists() || before.Owner != token(i)) {
		if !a.holder {
			t.overtake(clock)
			for j := range t.n {
				t.actors[j].holder = false
			}
		}
		a.holder, a.completed, a.granted, a.retain = true, false, 0, 0
		if !a.succeeded { // what passed before is no excuse for what comes
			a.lapsed = false
			a.forgotten = a.forgotten && w.c.AtMostOnce && a.ran
		}
	}
	if a.holder && (o == dedupe.Won || o == dedupe.Applied) {
		a.granted, a.retain = max(a.granted, p.lease), max(a.retain, p.retain)
	}
}

// overtake notes what had passed when the row went away from its holder.
func (t *state) overtake(clock ticks) {
	for i := range t.n {
		h := &t.actors[i]
		if !h.holder {
			continue
		}
		over := clock >= h.retain && (h.completed || clock >= h.granted)
		h.forgotten = h.forgotten || over
		h.lapsed = h.lapsed || over || !h.completed && clock >= h.granted
	}
}

// succeed is the moment of the effect.
func (w *world) succeed(t *state, i int8) {
	w.check(&event{kind: succeeded, c: &w.c, s: t, i: i})
	t.actors[i].succeeded = true
}
