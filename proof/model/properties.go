package model

import (
	"reflect"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// eventKind is what the properties look at.
type eventKind uint8

const (
	applied      eventKind = iota // the store applied an operation
	started                       // a handler starts
	succeeded                     // an effect takes place
	acknowledged                  // a record is reported as done
)

// event is one thing that actor i does, in state s as it was just before.
type event struct {
	kind eventKind
	c    *Config
	s    *state
	i    int8

	// Of what was applied.
	now           ticks
	op            dedupe.Op
	before, after dedupe.Row
	outcome       dedupe.Outcome
}

// by returns the actor that the event is of.
func (e *event) by() *actor { return &e.s.actors[e.i] }

// own reports whether the row was the actor's own.
func (e *event) own() bool { return e.before.Exists() && e.before.Owner == e.op.Owner }

func (e *event) changed() bool { return !reflect.DeepEqual(e.before, e.after) }

// Property is one thing that must never happen, or the one that always must.
type Property struct {
	Name string

	// breaks reports whether the event breaks the property; nil for the one
	// of the graph as a whole.
	breaks func(*event) bool
}

// Properties are what every search checks.
func Properties() []Property {
	return []Property{
		{"a completed row had an effect", completedWithoutEffect},
		{"an acknowledgement implies a completion", acknowledgedUnrecorded},
		{"two successful runs have an expired lease or retention between them", succeededTwice},
		{"a stale owner never changes a row", changedByStale},
		{"a finished row stays as it is within its retention", finishedChanged},
		{"a late claim does not revive its own finished row", revived},
		{"a lease excludes all others until its margin", leaseBroken},
		{"no handler starts under a lease that was taken over", startedOvertaken},
		{"only somebody else's live lease makes busy", busyForNothing},
		{"the owner's completion is recorded while nobody took over", completionRefused},
		{"fencing numbers grow from claim to claim", fenceStands},
		{"at most once: no second run within the retention", ranTwice},
		{ends, nil},
	}
}

const ends = "with finitely many faults every record completes, is parked or is dead-lettered"

// check notes the first property that e breaks.
func (w *world) check(e *event) {
	if w.broken != "" {
		return
	}
	for _, p := range w.checks {
		if p.breaks(e) {
			w.broken = p.Name
			return
		}
	}
}

// A row becomes COMPLETED only when its owner's handler has succeeded, or
// with it.
func completedWithoutEffect(e *event) bool {
	if e.kind != applied || e.after.State != dedupe.Completed || e.before.State == dedupe.Completed {
		return false
	}
	if e.c.Transactional {
		return e.op.Kind != dedupe.OpComplete
	}
	return !e.s.actors[e.after.Owner[0]-1].succeeded
}

// Whoever reports a record as done has a completion to show for it.
func acknowledgedUnrecorded(e *event) bool { return e.kind == acknowledged && !e.s.recorded }

// Of two runs that succeeded, one had been overtaken after its lease, or after
// its retention, had passed. With transactions a lease is no excuse.
func succeededTwice(e *event) bool {
	if e.kind != succeeded || e.by().lapsed && !e.c.Transactional {
		return false
	}
	for i := range e.s.n {
		a := &e.s.actors[i]
		if i != e.i && a.succeeded && (!a.lapsed || e.c.Transactional && !a.forgotten) {
			return true
		}
	}
	return false
}

// Extend, complete and release of anybody but the row's owner are lost and
// change nothing.
func changedByStale(e *event) bool {
	return e.kind == applied && e.op.Kind != dedupe.OpClaim && !e.own() && (e.outcome != dedupe.Lost || e.changed())
}

// A COMPLETED row that is kept is changed by nothing.
func finishedChanged(e *event) bool {
	if e.kind != applied || e.before.State != dedupe.Completed || !e.changed() {
		return false
	}
	for i := range e.s.n {
		if a := &e.s.actors[i]; a.holder {
			return e.now < a.retain
		}
	}
	return false
}

// A claim that finds its own row in any state but PROCESSING comes too late.
func revived(e *event) bool {
	return e.kind == applied && e.op.Kind == dedupe.OpClaim && e.own() && e.before.State != dedupe.Processing &&
		(e.outcome == dedupe.Won || e.changed())
}

// Nobody wins a key while somebody who may work on it has more than the margin
// of its lease left, on any clock.
func leaseBroken(e *event) bool {
	if e.kind != applied || e.outcome != dedupe.Won {
		return false
	}
	for i := range e.s.n {
		a := &e.s.actors[i]
		if i != e.i && (a.phase == ready || a.phase == running) && !a.lost && a.lease > skew {
			return true
		}
	}
	return false
}

// A handler starts before anybody took its key over.
func startedOvertaken(e *event) bool {
	return e.kind == started && !e.by().holder
}

// Busy is told of another's row in PROCESSING, before the end of what its
// owner was granted.
func busyForNothing(e *event) bool {
	if e.kind != applied || e.outcome != dedupe.Busy {
		return false
	}
	if e.own() || e.before.State != dedupe.Processing {
		return true
	}
	return e.now >= e.s.actors[e.before.Owner[0]-1].granted
}

// However late a completion comes, it counts while the row is its owner's and
// was not given back.
func completionRefused(e *event) bool {
	return e.kind == applied && e.op.Kind == dedupe.OpComplete && e.own() && e.before.State != dedupe.Failed &&
		(e.outcome != dedupe.Applied || e.after.State != dedupe.Completed)
}

// Each new claim has a higher fencing number than all before, also after the
// row was collected. Only claims count that arrive with more than twice the
// skew left of their retention.
func fenceStands(e *event) bool {
	return e.kind == applied && e.outcome == dedupe.Won && !e.own() && e.after.Fence <= fenceBase+int64(e.s.fence) &&
		ticksOf(e.op.RetainEnd) > 2*skew
}

// A run of an at-most-once consumer is the only one until its retention, and
// its lease, have passed.
func ranTwice(e *event) bool {
	if e.kind != started || !e.c.AtMostOnce {
		return false
	}
	for i := range e.s.n {
		if a := &e.s.actors[i]; i != e.i && a.ran && !a.forgotten {
			return true
		}
	}
	return false
}
