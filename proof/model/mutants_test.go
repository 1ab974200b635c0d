package model_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/proof/figures"
	"github.com/onlyonce-go/onlyonce/proof/model"
)

type (
	row     = dedupe.Row
	op      = dedupe.Op
	verdict = dedupe.Verdict
	millis  = dedupe.Millis
)

// stepMutants are mistakes in the protocol, each with a property that it
// breaks, in a search that looks for nothing else.
var stepMutants = []struct {
	name   string
	in     string // the config
	breaks string
	step   model.Step
}{
	{"complete by anybody", "at least once", "a stale owner", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpComplete && r.Exists() {
			o.Owner = r.Owner
		}
		return dedupe.Step(r, now, o)
	}},
	{"complete by anybody", "at least once", "a completed row had an effect", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpComplete && r.Exists() {
			o.Owner = r.Owner
		}
		return dedupe.Step(r, now, o)
	}},
	{"release by anybody", "at least once", "a stale owner", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && r.Exists() {
			o.Owner = r.Owner
		}
		return dedupe.Step(r, now, o)
	}},
	{"release by anybody", "at least once", "a lease excludes all others", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && r.Exists() {
			o.Owner = r.Owner
		}
		return dedupe.Step(r, now, o)
	}},
	{"extend by anybody", "at least once", "a stale owner", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpExtend && r.Exists() {
			o.Owner = r.Owner
		}
		return dedupe.Step(r, now, o)
	}},
	{"<= for < on the lease", "at least once", "only somebody else's live lease", claiming(func(r row, now millis, o op) (row, verdict) {
		if now == r.LeaseEnd {
			now--
		}
		return dedupe.Step(r, now, o)
	})},
	{"a lease ends a tick early", "at least once", "a lease excludes all others", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Processing {
			now += model.Tick
		}
		return dedupe.Step(r, now, o)
	})},
	{"a claim's lease is a tick short", "at least once", "a lease excludes all others", claiming(func(r row, now millis, o op) (row, verdict) {
		o.LeaseEnd -= model.Tick
		return dedupe.Step(r, now, o)
	})},
	{"any claim wins", "at least once", "two successful runs", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.Exists() && r.Owner != o.Owner {
			r.State = dedupe.Failed
		}
		return dedupe.Step(r, now, o)
	})},
	{"a repeated claim shortens the lease", "at least once", "a lease excludes all others", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Processing && r.Owner == o.Owner {
			r.LeaseEnd = o.LeaseEnd
		}
		return dedupe.Step(r, now, o)
	})},
	{"an extend shortens the lease", "at least once", "a lease excludes all others", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpExtend && r.State == dedupe.Processing && r.Owner == o.Owner {
			r.LeaseEnd = o.LeaseEnd
		}
		return dedupe.Step(r, now, o)
	}},
	{"own claim is not recognized", "at least once", "only somebody else's live lease", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Processing && r.Owner == o.Owner {
			o.Owner[1]++
		}
		return dedupe.Step(r, now, o)
	})},
	{"own claim wins a completed row", "at least once", "a finished row", revive(dedupe.Completed)},
	{"own claim wins a completed row", "at least once", "a late claim", revive(dedupe.Completed)},
	{"own claim wins a released row", "at least once", "a late claim", revive(dedupe.Failed)},
	{"own claim wins a parked row", "at most once", "a late claim", revive(dedupe.Parked)},
	{"release takes a transaction back", "transactions", "two successful runs", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && r.State == dedupe.Completed && r.Owner == o.Owner {
			r.State = dedupe.Processing
		}
		return dedupe.Step(r, now, o)
	}},
	{"release takes a transaction back", "transactions", "a finished row", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && r.State == dedupe.Completed && r.Owner == o.Owner {
			r.State = dedupe.Processing
		}
		return dedupe.Step(r, now, o)
	}},
	{"a release completes", "at least once", "a completed row had an effect", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && !o.Ran && r.State == dedupe.Processing && r.Owner == o.Owner {
			o.Kind = dedupe.OpComplete
		}
		return dedupe.Step(r, now, o)
	}},
	{"takeover keeps the fence", "at least once", "fencing numbers grow", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.Exists() && r.Owner != o.Owner {
			r.Fence--
		}
		return dedupe.Step(r, now, o)
	})},
	{"the fence starts at one", "at least once", "fencing numbers grow", func(r row, now millis, o op) (row, verdict) {
		next, v := dedupe.Step(r, now, o)
		if v.Outcome == dedupe.Won && !r.Exists() {
			next.Fence = 1
		}
		v.Row = next
		return next, v
	}},
	{"retention ends a live lease", "short", "a lease excludes all others", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Processing && now >= r.RetainEnd {
			r = row{}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a completion shortens the retention", "at least once", "two successful runs", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpComplete {
			r.RetainEnd, o.RetainEnd = now, now
		}
		return dedupe.Step(r, now, o)
	}},
	{"a lapsed lease ends a completed row", "at least once", "two successful runs", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Completed && now >= r.LeaseEnd {
			r = row{}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a late completion is refused", "at least once", "the owner's completion", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpComplete && r.State == dedupe.Processing && now >= r.LeaseEnd {
			return r, verdict{Outcome: dedupe.Lost, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, o)
	}},
	{"a parked row is not unparked by its completion", "at most once", "the owner's completion", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpComplete && r.State == dedupe.Parked {
			return r, verdict{Outcome: dedupe.Lost, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, o)
	}},
	{"a completion is answered and not written", "at least once", "an acknowledgement", func(r row, now millis, o op) (row, verdict) {
		next, v := dedupe.Step(r, now, o)
		if o.Kind == dedupe.OpComplete {
			next = r
		}
		return next, v
	}},
	{"a stale completion is said to hold", "at least once", "an acknowledgement", func(r row, now millis, o op) (row, verdict) {
		next, v := dedupe.Step(r, now, o)
		if o.Kind == dedupe.OpComplete && v.Outcome == dedupe.Lost {
			v.Outcome = dedupe.Applied
		}
		return next, v
	}},
	{"a row that is there counts as done", "at least once", "an acknowledgement", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.Exists() && r.Owner != o.Owner {
			return r, verdict{Outcome: dedupe.Done, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a lapsed lease is never taken over", "at least once", "with finitely many faults", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Processing && r.Owner != o.Owner {
			return r, verdict{Outcome: dedupe.Busy, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a released row is never claimed again", "at least once", "with finitely many faults", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Failed {
			return r, verdict{Outcome: dedupe.Lost, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a claim takes a lapsed lease in an at-most-once consumer", "at most once", "at most once", claiming(func(r row, now millis, o op) (row, verdict) {
		o.AtMostOnce = false
		return dedupe.Step(r, now, o)
	})},
	{"a failed run is not parked", "at most once", "at most once", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease {
			o.AtMostOnce = false
		}
		return dedupe.Step(r, now, o)
	}},
	{"a parked row goes with its lease", "at most once", "at most once", claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == dedupe.Parked && now >= r.LeaseEnd {
			r = row{}
		}
		return dedupe.Step(r, now, o)
	})},
	{"a release after a run frees a parked row", "at most once", "at most once", func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpRelease && r.State == dedupe.Parked {
			o.Ran = false
		}
		return dedupe.Step(r, now, o)
	}},
}

// claiming makes a mutant of claims only.
func claiming(f model.Step) model.Step {
	return func(r row, now millis, o op) (row, verdict) {
		if o.Kind == dedupe.OpClaim {
			return f(r, now, o)
		}
		return dedupe.Step(r, now, o)
	}
}

// revive makes a mutant in which a late copy of a claim wins its own row in
// that state.
func revive(state dedupe.State) model.Step {
	return claiming(func(r row, now millis, o op) (row, verdict) {
		if r.State == state && r.Owner == o.Owner {
			r.State = dedupe.Processing
		}
		return dedupe.Step(r, now, o)
	})
}

// guardMutants are mistakes of a guard.
var guardMutants = []struct {
	name   string
	breaks string
	model.Defects
}{
	{"busy is acknowledged", "an acknowledgement", model.Defects{AckBusy: true}},
	{"an unconfirmed completion is acknowledged", "an acknowledgement", model.Defects{AckUndecided: true}},
	{"the completion comes before the handler", "a completed row had an effect", model.Defects{CompleteFirst: true}},
	{"a success is released", "two successful runs", model.Defects{ReleaseAfterSuccess: true}},
	{"the handler starts whatever is left of its lease", "no handler starts", model.Defects{StartWithoutMargin: true}},
}

// Each property is there for something: a mistake in the protocol breaks it,
// within two faults, though nothing else is looked for.
func TestStepMutants(t *testing.T) {
	caught := map[string]bool{}
	for _, m := range stepMutants {
		caught[m.breaks] = true
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := configs[m.in]
			c.Step = m.step
			mustBreak(t, c, m.name, m.breaks)
		})
	}
	for _, m := range guardMutants {
		caught[m.breaks] = true
	}
	for _, p := range model.Properties() {
		if n := len(prefixes(caught, p.Name)); n != 1 {
			t.Errorf("%d of the mutants' properties begin %q, want one", n, p.Name)
		}
	}
}

// A guard that makes a mistake breaks the properties as well.
func TestGuardMutants(t *testing.T) {
	for _, m := range guardMutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := configs["at least once"]
			c.Defects = m.Defects
			mustBreak(t, c, m.name, m.breaks)
		})
	}
}

// mustBreak searches for a violation of the property whose name begins so.
func mustBreak(t *testing.T, c model.Config, mistake, begins string) {
	t.Helper()
	for _, p := range model.Properties() {
		if strings.HasPrefix(p.Name, begins) {
			c.Only = p.Name
		}
	}
	if c.Only == "" {
		t.Fatalf("no property begins %q", begins)
	}
	c.Workers = 2
	var tried []string
	for c.Faults = range 3 {
		r := model.Search(c)
		if r.Violation != nil {
			t.Logf("%d faults: %v\n%v", c.Faults, r, r.Violation)
			figures.Attr(t, figures.Mistake{Mistake: mistake, Found: true})
			return
		}
		tried = append(tried, fmt.Sprintf("%d faults: %v", c.Faults, r))
	}
	figures.Attr(t, figures.Mistake{Mistake: mistake})
	t.Errorf("no way to break %q was found:\n%s", c.Only, strings.Join(tried, "\n"))
}

// prefixes returns those that name begins with.
func prefixes(of map[string]bool, name string) (out []string) {
	for p := range of {
		if strings.HasPrefix(name, p) {
			out = append(out, p)
		}
	}
	return out
}
