package model

import (
	"bytes"
	"slices"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Tick is the unit of the model's time. It is long, so that fencing numbers,
// which count from a time in milliseconds, have room between two ticks.
const Tick = dedupe.Millis(1000)

// Times are relative: now never changes, and when time passes all ends come
// nearer. What has passed is as good as any other past, so there are finitely
// many states although time goes on for ever.
const (
	now       = 100 * Tick
	skew      = ticks(1) // clocks differ by up to that; every look at a clock may find another offset
	maxActors = 7
	maxLate   = 4
)

// ticks is a time from now, in ticks; zero has passed.
type ticks int8

func (t ticks) millis() dedupe.Millis { return now + dedupe.Millis(t)*Tick }

func ticksOf(m dedupe.Millis) ticks { return ticks(max(0, (m-now)/Tick)) }

// state is everything there is at one moment: the row, who deals with it, the
// message, and what the properties remember.
type state struct {
	row      row
	actors   [maxActors]actor
	n        int8 // actors in use
	message  message
	delayed  bool // the message comes back with the next tick
	receives int8
	faults   int8 // left

	recorded bool  // a completion was recorded at some time
	fence    int16 // the highest fencing number that was handed out
}

// message is where the record is in its queue.
type message uint8

const (
	visible message = iota
	inFlight
	deleted
	deadLettered
)

// row is a dedupe.Row without what decides nothing. Its owner is an index of
// actors. The fencing number counts from the last tick; what is older is zero.
type row struct {
	state         dedupe.State
	owner         int8
	lease, retain ticks
	fence         int16
}

const fenceBase = int64(now - Tick)

// token is the owner token of the actor with that index.
func token(i int8) dedupe.Owner { return dedupe.Owner{byte(i) + 1} }

func (r row) real() dedupe.Row {
	if r.state == dedupe.Absent {
		return dedupe.Row{}
	}
	return dedupe.Row{
		State: r.state, Owner: token(r.owner), Fence: fenceBase + int64(r.fence),
		LeaseEnd: r.lease.millis(), RetainEnd: r.retain.millis(),
	}
}

func rowOf(r *dedupe.Row) row {
	if !r.Exists() {
		return row{}
	}
	return row{
		state: r.State, owner: int8(r.Owner[0]) - 1, fence: int16(max(-3*int64(Tick), r.Fence-fenceBase)),
		lease: ticksOf(r.LeaseEnd), retain: ticksOf(r.RetainEnd),
	}
}

// actor is one delivery of the record to one worker, with the one owner token
// of its claim. It stays when its worker is dead, while something of it is on
// its way or a property needs it.
type actor struct {
	phase   phase
	carrier bool // has the message; others have a copy of it
	slow    bool // time may pass before its next step
	mute    bool // its outcome has been reported
	lost    bool // knows that its lease is lost
	ran     bool
	tries   int8
	call    call
	op      packet // in hand
	answer  answer // to it
	beat    packet // an extend under way
	late    [maxLate]packet
	lease   ticks // as the worker believes

	// For the properties.
	holder          bool  // the last to have won the key
	granted, retain ticks // what the holder was granted in all
	succeeded       bool  // its effect took place
	completed       bool  // and that was recorded
	lapsed          bool  // overtaken after its lease, or its retention, had passed
	forgotten       bool  // overtaken after its retention had passed

	name byte // for traces; not a part of the state
}

// phase is how far a worker has come with its record.
type phase uint8

const (
	dead phase = iota
	claiming
	ready
	running
	committing // a transaction with the effect and the completion is under way
	completing
	releasing
)

// call is how far the operation in hand has come.
type call uint8

const (
	none call = iota
	sent
	answered
	undecided
)

// packet is a request on its way; none when its kind is zero.
type packet struct {
	kind          dedupe.OpKind
	ran           bool
	lease, retain ticks
}

// answer is what a worker hears of a verdict.
type answer struct {
	outcome dedupe.Outcome
	state   dedupe.State
	lease   ticks
}

// tick lets time pass.
func (s *state) tick() {
	s.delayed = false
	pass := func(t *ticks) { *t = max(0, *t-1) }
	pass(&s.row.lease)
	pass(&s.row.retain)
	s.age()
	for i := range s.n {
		a := &s.actors[i]
		for _, t := range []*ticks{
			&a.op.lease, &a.op.retain, &a.answer.lease, &a.beat.lease, &a.beat.retain, &a.lease, &a.granted, &a.retain,
		} {
			pass(t)
		}
		for k := range a.late {
			pass(&a.late[k].lease)
			pass(&a.late[k].retain)
		}
	}
}

// age makes the fencing numbers older. Of numbers from before the last tick
// only the order matters.
func (s *state) age() {
	ahead := s.row.fence - s.fence
	was := s.row.fence
	s.fence = max(0, s.fence-int16(Tick))
	switch {
	case s.row.state == dedupe.Absent:
	case ahead <= 0:
		s.row.fence = s.fence + ahead
	default:
		s.row.fence = max(was-int16(Tick), s.fence+1)
	}
}

// canonical forgets what cannot matter any more and puts the actors in order:
// which worker is which makes no difference.
func (s *state) canonical(c *Config) {
	type keyed struct {
		key   []byte
		actor actor
		owner bool
	}
	kept := make([]keyed, 0, maxActors)
	for i := range s.n {
		a := s.actors[i]
		owner := s.row.state != dedupe.Absent && s.row.owner == i
		a.tidy(c)
		if a.phase == dead && !owner && a.late == [maxLate]packet{} && !a.matters(c) {
			continue
		}
		kept = append(kept, keyed{a.encode(nil, owner), a, owner})
	}
	slices.SortStableFunc(kept, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	s.actors = [maxActors]actor{}
	s.n = int8(len(kept))
	for i, k := range kept {
		s.actors[i] = k.actor
		if k.owner {
			s.row.owner = int8(i)
		}
	}
}

// matters reports whether a property still has to know of a run or a success.
func (a *actor) matters(c *Config) bool {
	if c.AtMostOnce && a.ran && !a.forgotten {
		return true
	}
	return a.succeeded && (!a.lapsed || c.Transactional && !a.forgotten)
}

// tidy sets to zero what the actor's phase makes meaningless.
func (a *actor) tidy(c *Config) {
	slices.SortFunc(a.late[:], func(x, y packet) int { return bytes.Compare(y.encode(nil), x.encode(nil)) })
	if a.call != answered {
		a.answer = answer{}
	}
	if a.call == none {
		a.op, a.tries = packet{}, 0
	}
	if a.phase == dead {
		a.carrier, a.slow, a.mute, a.lost, a.call, a.op, a.answer, a.beat = false, false, false, false, none, packet{}, answer{}, packet{}
		a.tries = 0
	}
	if a.phase != ready && a.phase != running {
		a.lease, a.lost = 0, false
	}
	if !c.AtMostOnce {
		a.ran = false
		a.forgotten = a.forgotten && c.Transactional
	}
	if !a.holder {
		a.granted, a.retain = 0, 0
	}
}

// encode appends all of the state that matters.
func (s *state) encode(b []byte) []byte {
	b = append(b, byte(s.row.state), byte(s.row.owner), byte(s.row.lease), byte(s.row.retain), byte(s.row.fence), byte(s.row.fence>>8),
		byte(s.message), byte(s.receives), byte(s.faults), byte(s.fence), byte(s.fence>>8), flags(s.delayed, s.recorded))
	for i := range s.n {
		b = s.actors[i].encode(b, s.row.state != dedupe.Absent && s.row.owner == i)
	}
	return b
}

func (a *actor) encode(b []byte, owner bool) []byte {
	b = append(b, byte(a.phase), byte(a.call), byte(a.tries), byte(a.lease), byte(a.granted), byte(a.retain),
		byte(a.answer.outcome), byte(a.answer.state), byte(a.answer.lease),
		flags(a.carrier, a.slow, a.mute, a.lost, a.ran, owner), flags(a.holder, a.succeeded, a.completed, a.lapsed, a.forgotten))
	b = a.beat.encode(a.op.encode(b))
	for _, p := range a.late {
		b = p.encode(b)
	}
	return b
}

func (p packet) encode(b []byte) []byte {
	return append(b, byte(p.kind)<<1|flags(p.ran), byte(p.lease)<<4|byte(p.retain))
}

func flags(bits ...bool) (b byte) {
	for i, set := range bits {
		if set {
			b |= 1 << i
		}
	}
	return b
}
