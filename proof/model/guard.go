package model

import "github.com/onlyonce-go/onlyonce/dedupe"

// This file is the worker: what the guard does, and what can happen to it.

// tries bounds how often the guard sends a claim or a release.
const tries = 3

// worker is what can happen to a worker wherever it stands.
func (w *world) worker(s *state, i int8) {
	a := &s.actors[i]
	w.heartbeat(s, i)
	if s.faults == 0 {
		return
	}
	if !a.slow {
		t := *s
		t.faults--
		t.actors[i].slow = true
		w.emit(&t, fault, note{text: "becomes slow", actor: a.name})
	}
	t := *s
	t.faults--
	t.crash(i)
	w.emit(&t, fault, note{text: "crashes", actor: a.name})
	if a.call == sent {
		t := *s
		t.faults--
		if t.actors[i].keep(a.op) {
			t.crash(i)
			w.emit(&t, fault, note{text: "crashes, its request still under way", actor: a.name})
		} else {
			w.cut++
		}
	}
}

func (t *state) crash(i int8) {
	t.actors[i].phase = dead
	if t.actors[i].carrier {
		t.message, t.delayed = visible, true
	}
}

// keep leaves a copy of p on its way.
func (a *actor) keep(p packet) bool {
	for k := range a.late {
		if a.late[k].kind == 0 {
			a.late[k] = p
			return true
		}
	}
	return false
}

// lateCopies lets copies arrive that nobody waits for. They may as well never
// arrive.
func (w *world) lateCopies(s *state, i int8) {
	for k, p := range s.actors[i].late {
		if p.kind == 0 || k > 0 && p == s.actors[i].late[k-1] {
			continue
		}
		for clock := ticks(0); clock <= skew; clock++ {
			t := *s
			t.actors[i].late[k] = packet{}
			_, n := w.apply(&t, i, p, clock)
			n.text = "late copy"
			w.emit(&t, chance, n)
		}
	}
}

// request is what can happen to the request of the operation in hand.
func (w *world) request(s *state, i int8) {
	a := &s.actors[i]
	for clock := ticks(0); clock <= skew; clock++ {
		t := *s
		var n note
		t.actors[i].answer, n = w.apply(&t, i, a.op, clock)
		t.actors[i].call = answered
		w.emit(&t, deliver, n)
		if s.faults > 0 {
			t := *s
			t.faults--
			if !t.actors[i].keep(a.op) {
				w.cut++
				continue
			}
			t.actors[i].answer, n = w.apply(&t, i, a.op, clock)
			t.actors[i].call = answered
			n.text = "doubled on the way"
			w.emit(&t, fault, n)
		}
	}
	if s.faults == 0 {
		return
	}
	t := *s
	t.faults--
	t.actors[i].call = undecided
	w.emit(&t, fault, note{text: "request lost", actor: a.name, op: a.op})
	t = *s
	t.faults--
	t.actors[i].call = undecided
	if t.actors[i].keep(a.op) {
		w.emit(&t, fault, note{text: "no answer in time, the request still under way", actor: a.name, op: a.op})
	} else {
		w.cut++
	}
}

// heard is what can happen to an answer.
func (w *world) heard(s *state, i int8) {
	a := &s.actors[i]
	t := *s
	b := &t.actors[i]
	b.call, b.slow = none, false
	switch v := a.answer; a.phase {
	case claiming:
		w.claimed(&t, i, v)
	case releasing:
		w.settled(&t, i, v.outcome == dedupe.Done)
	default:
		w.settled(&t, i, v.outcome == dedupe.Applied || v.state == dedupe.Completed)
	}
	w.emit(&t, hear, note{text: "hears", actor: a.name, op: a.op, outcome: a.answer.outcome, applied: true, row: a.answer.state})
	if s.faults > 0 {
		t := *s
		t.faults--
		t.actors[i].call = undecided
		w.emit(&t, fault, note{text: "answer lost", actor: a.name, op: a.op})
	}
}

// claimed acts on the answer to a claim.
func (w *world) claimed(t *state, i int8, v answer) {
	a := &t.actors[i]
	switch v.outcome {
	case dedupe.Won:
		a.phase, a.lease, a.tries = ready, max(a.op.lease, v.lease), 0
		if w.c.Defects.CompleteFirst {
			a.phase = completing
			a.send(w.packet(dedupe.OpComplete, 0))
		}
	case dedupe.Done:
		w.settled(t, i, true)
	case dedupe.Busy:
		w.settled(t, i, w.c.Defects.AckBusy)
	case dedupe.Stuck:
		w.settled(t, i, false)
	default:
		w.forget(t, i)
	}
}

// forget reports a claim that stayed undecided as failed, and releases it in
// case it was applied.
func (w *world) forget(t *state, i int8) {
	w.settled(t, i, false)
	a := &t.actors[i]
	a.phase, a.mute, a.tries = releasing, true, 0
	a.send(w.packet(dedupe.OpRelease, 0))
}

// settled ends a worker's dealings with the record: done or failed.
func (w *world) settled(t *state, i int8, done bool) {
	a := &t.actors[i]
	a.phase = dead
	carrier := a.carrier
	a.carrier = false
	if a.mute {
		return
	}
	if done {
		w.check(&event{kind: acknowledged, c: &w.c, s: t, i: i})
	}
	switch {
	case !carrier:
	case done:
		t.message = deleted
	case w.c.Receives > 0 && int(t.receives) >= w.c.Receives:
		t.message = deadLettered
	default:
		t.message, t.delayed = visible, true
	}
}

// decision is what a worker does when an operation stayed undecided: it tries
// again while it may, or gives up.
func (w *world) decision(s *state, i int8) {
	a := &s.actors[i]
	if a.tries < tries || a.phase == completing || a.phase == committing {
		t := *s
		t.actors[i].send(a.op)
		w.emit(&t, decide, note{text: "tries again", actor: a.name, op: a.op})
	}
	t := *s
	b := &t.actors[i]
	b.call, b.slow = none, false
	switch {
	case a.phase == claiming:
		w.forget(&t, i)
	case a.phase == committing, a.phase == completing && w.c.Defects.ReleaseAfterSuccess:
		w.release(&t, i, true)
	default:
		w.settled(&t, i, a.phase == completing && w.c.Defects.AckUndecided)
	}
	w.emit(&t, decide, note{text: "gives up", actor: a.name, op: a.op})
}

// release sends the release of a claim.
func (w *world) release(t *state, i int8, ran bool) {
	a := &t.actors[i]
	if a.beat.kind != 0 {
		a.keep(a.beat)
		a.beat = packet{}
	}
	a.phase, a.tries = releasing, 0
	p := w.packet(dedupe.OpRelease, 0)
	p.ran = ran
	a.send(p)
}

// handler is what a worker does between its claim and its settlement.
func (w *world) handler(s *state, i int8) {
	a := &s.actors[i]
	switch a.phase {
	case ready:
		w.begin(s, i)
	case running:
		w.end(s, i)
	default:
		panic("model: no call in phase")
	}
}

// begin starts the handler if the margin is left on the worker's clock, and
// refuses to if it is not on a clock that is ahead.
func (w *world) begin(s *state, i int8) {
	a := &s.actors[i]
	if !a.lost && a.lease > skew || w.c.Defects.StartWithoutMargin {
		t := *s
		w.check(&event{kind: started, c: &w.c, s: &t, i: i})
		b := &t.actors[i]
		b.phase, b.ran, b.slow = running, true, false
		w.emit(&t, start, note{text: "starts its handler", actor: a.name})
	}
	if a.lost || a.lease < 2*skew {
		t := *s
		t.actors[i].slow = false
		w.release(&t, i, false)
		w.emit(&t, start, note{text: "refuses to start under a lease that ends", actor: a.name})
	}
	if s.faults > 0 {
		t := *s
		t.faults--
		t.actors[i].slow = false
		w.release(&t, i, false)
		w.emit(&t, fault, note{text: "is stopped before its handler", actor: a.name})
	}
}

// end lets the handler succeed, at any time, or fail.
func (w *world) end(s *state, i int8) {
	a := &s.actors[i]
	for clock := ticks(0); clock <= skew; clock++ {
		t := *s
		b := &t.actors[i]
		if b.beat.kind != 0 { // it may overtake the completion, or come late
			b.keep(b.beat)
			b.beat = packet{}
		}
		b.phase, b.tries = completing, 0
		if w.c.Transactional {
			b.phase = committing
		} else {
			w.succeed(&t, i)
		}
		b.send(w.packet(dedupe.OpComplete, clock))
		w.emit(&t, finish, note{text: "its handler succeeds; completes", actor: a.name, op: b.op})
	}
	if s.faults > 0 || a.lost {
		t, k := *s, finish // a handler whose lease was lost may well fail
		if !a.lost {
			t.faults--
			k = fault
		}
		w.release(&t, i, true)
		w.emit(&t, k, note{text: "its handler fails", actor: a.name})
	}
}

// heartbeat extends the lease while the record waits or runs, when that makes
// it longer.
func (w *world) heartbeat(s *state, i int8) {
	a := &s.actors[i]
	if a.phase != ready && a.phase != running {
		return
	}
	if a.beat.kind == 0 && !a.lost {
		for clock := ticks(0); clock <= skew; clock++ {
			p := w.packet(dedupe.OpExtend, clock)
			if p.lease <= a.lease {
				continue
			}
			t := *s
			t.actors[i].beat = p
			w.emit(&t, chance, note{text: "sends a heartbeat", actor: a.name, op: p})
		}
	}
	if a.beat.kind == 0 {
		return
	}
	for clock := ticks(0); clock <= skew; clock++ {
		t := *s
		v, n := w.apply(&t, i, a.beat, clock)
		b := &t.actors[i]
		b.beat = packet{}
		if v.outcome == dedupe.Applied {
			b.lease = max(b.lease, v.lease)
		} else {
			b.lost = true
		}
		w.emit(&t, chance, n)
	}
	if s.faults > 0 {
		t := *s
		t.faults--
		t.actors[i].beat = packet{}
		if t.actors[i].keep(a.beat) {
			w.emit(&t, fault, note{text: "no answer to the heartbeat, it is still under way", actor: a.name, op: a.beat})
		} else {
			w.cut++
		}
	}
}
