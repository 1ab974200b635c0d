package dedupe_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A claim that was applied and whose answer was lost is recognised by its
// owner: the record runs once, now, and is not reported.
func TestClaimAnswerLost(t *testing.T) {
	for _, c := range []struct {
		name string
		lost int
	}{{"once", 1}, {"twice", 2}} {
		bubble(t, c.name, func(t *testing.T) {
			f := &faults{after: on(dedupe.OpClaim, times(c.lost, fail))}
			g, l := newGuard(f)
			var h tally
			if err := once(t.Context(), g, &h, "a"); err != nil {
				t.Errorf("got error %v, want none", err)
			}
			h.wantRuns(t, "a", 1)
			f.wantState(t, "a", dedupe.Completed)
			wantTold[consumer.Completed](t, l, 1)
			if e := told[consumer.Claimed](l); len(e) != 1 || e[0].Claims != 1 || e[0].TookOver {
				t.Errorf("told %+v, want one first claim that took nothing over", e)
			}
		})
	}
}

// A claim that timed out on its way to the store is asked again with the same
// owner, so that the late copy of the first one finds itself.
func TestClaimLateCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, times(1, hang))}
		g, _ := newGuard(f)
		var h tally
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		if first, second := f.calls[0], f.calls[1]; !reflect.DeepEqual(first, second) {
			t.Errorf("second claim is %+v, want the first again: %+v", second, first)
		}
		for range 2 { // the copy comes at last, twice
			if _, err := f.mem.Apply(t.Context(), f.calls[0]); err != nil {
				t.Fatal(err)
			}
		}
		f.wantState(t, "a", dedupe.Completed)
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("redelivery: got error %v, want none", err)
		}
		h.wantRuns(t, "a", 1)
	})
}

// A claim that stays undecided fails its own record and is released, since a
// copy of it may have been applied; the other records of the group run.
func TestClaimUndecided(t *testing.T) {
	bubble(t, "the answer never comes", func(t *testing.T) {
		s := &partial{undecided: map[dedupe.Key]bool{workKey("b"): true}}
		l := &ledger{}
		g := dedupe.New(s, dedupe.Options{Consumer: worker, Observer: l})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b", "c")
		var h tally
		for _, tk := range ts {
			if tk.Ready() {
				d.work(tk, &h)
			}
		}
		d.Close()
		for n, want := range []error{nil, errDown, nil} {
			wantIs(t, d.outcome(t, n), want)
		}
		if e, ok := errors.AsType[*dedupe.StoreError](d.outcome(t, 1)); !ok || e.Op != dedupe.OpClaim {
			t.Errorf("got error %v, want a StoreError of the claim", d.outcome(t, 1))
		}
		h.wantRuns(t, "b", 0)
		if row := s.wantState(t, "b", dedupe.Failed); row.Failures != 0 {
			t.Errorf("row counts %d failures, want 0: the handler did not run", row.Failures)
		}
		wantTold[consumer.Rejected](t, l, 1)
		s.undecided = nil
		if err := once(t.Context(), g, &h, "b"); err != nil {
			t.Errorf("redelivery: got error %v, want none", err)
		}
		h.wantRuns(t, "b", 1)
	})

	bubble(t, "the caller goes away", func(t *testing.T) {
		f := &faults{after: on(dedupe.OpClaim, hang)}
		g, _ := newGuard(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var h tally
		wantIs(t, once(ctx, g, &h, "a"), context.DeadlineExceeded)
		h.wantRuns(t, "a", 0)
		f.wantState(t, "a", dedupe.Failed)
	})

	bubble(t, "while its call is in flight with others", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, takes(time.Second))}
		g, _ := newGuard(f)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var h tally
		outcome := make(chan error, 1)
		go func() { outcome <- once(t.Context(), g, &h, "a") }()
		synctest.Wait()
		wantIs(t, once(ctx, g, &h, "b"), context.DeadlineExceeded) // gathered behind a
		if err := <-outcome; err != nil {
			t.Errorf("neighbour: got error %v, want none", err)
		}
		h.wantRuns(t, "b", 0)
	})
}

// With a store that is down nothing runs unprotected: every record fails, in
// the time of a few calls however many records there are, and comes back.
func TestStoreDown(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for name, how := range map[string]func(context.Context) error{"refuses": fail, "hangs": hang} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{before: func(ctx context.Context, _ []dedupe.Op) error { return how(ctx) }}
			g, l := newGuard(f)
			d := openDesk(t.Context(), g, time.Time{})
			began := time.Now()
			for n, tk := range d.admit(ids...) {
				if tk.Ready() {
					t.Errorf("record %d is ready", n)
				}
				if e, ok := errors.AsType[*dedupe.StoreError](d.outcome(t, n)); !ok || e.Op != dedupe.OpClaim {
					t.Errorf("got error %v, want a StoreError of the claim", d.outcome(t, n))
				}
			}
			if took := time.Since(began); took > 16*time.Second { // three calls of 5 s
				t.Errorf("the outcome took %v", took)
			}
			d.Close()
			if took := time.Since(began); took > 27*time.Second { // and 10 s of releases
				t.Errorf("the session took %v", took)
			}
			if n := f.sent(); n > 24 { // 3 claims, then releases
				t.Errorf("%d calls for one group, want few", n)
			}
			wantTold[consumer.Rejected](t, l, len(ids))
			if len(told[consumer.StoreFailed](l)) != f.sent() {
				t.Errorf("told %d failed calls of %d", len(told[consumer.StoreFailed](l)), f.sent())
			}
		})
	}
}

// An answer with too few verdicts decides nothing: it must not be taken for
// the verdicts of other records.
func TestTooFewVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &partial{short: true}
		g := dedupe.New(s, dedupe.Options{Consumer: worker})
		d := openDesk(t.Context(), g, time.Time{})
		for _, tk := range d.admit("a", "b") {
			if tk.Ready() {
				t.Errorf("%s is ready", tk.Record().ID)
			}
		}
		d.Close()
		for n := range 2 {
			if _, ok := errors.AsType[*dedupe.StoreError](d.outcome(t, n)); !ok {
				t.Errorf("got error %v, want a StoreError", d.outcome(t, n))
			}
		}
	})
}

// An answer that makes no sense for a claim is not a permission to run.
func TestClaimAnsweredStrangely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &partial{answer: &dedupe.Verdict{Outcome: dedupe.Applied}}
		g := dedupe.New(s, dedupe.Options{Consumer: worker})
		var h tally
		if _, ok := errors.AsType[*dedupe.StoreError](once(t.Context(), g, &h, "a")); !ok {
			t.Error("want a StoreError")
		}
		h.wantRuns(t, "a", 0)
	})
}

// partial is a store that answers only some of what it is asked, though it
// applies all.
type partial struct {
	faults
	undecided map[dedupe.Key]bool // claims of these keys are applied and not answered
	short     bool                // one verdict is missing
	answer    *dedupe.Verdict     // to every claim
}

func (p *partial) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	vs, err := p.faults.Apply(ctx, ops)
	for i := range vs {
		switch {
		case ops[i].Kind != dedupe.OpClaim:
		case p.undecided[ops[i].Key]:
			vs[i] = dedupe.Verdict{Err: errDown}
		case p.answer != nil:
			vs[i] = *p.answer
		}
	}
	if p.short {
		vs = slices.Delete(vs, len(vs)-1, len(vs))
	}
	return vs, err
}
