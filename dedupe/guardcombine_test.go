package dedupe_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Records that are handled at the same time share calls: what comes while a
// call is in flight gathers into the next one.
func TestCallsShared(t *testing.T) {
	bubble(t, "claims and completions", func(t *testing.T) {
		f := &faults{before: func(ctx context.Context, _ []dedupe.Op) error { return takes(5 * time.Millisecond)(ctx) }}
		g, _ := newGuard(f)
		var h tally
		h.do = func(context.Context, *consumer.Record) error { time.Sleep(100 * time.Millisecond); return nil }
		outcomes := make(chan error, 50)
		for i := range 50 {
			go func() { outcomes <- once(t.Context(), g, &h, fmt.Sprint("a", i)) }()
		}
		for range 50 {
			wantIs(t, <-outcomes, nil)
		}
		if n := f.sent(); n > 8 {
			t.Errorf("%d calls for 50 records, want few", n)
		}
		if claims, completions := f.count(dedupe.OpClaim), f.count(dedupe.OpComplete); claims != 50 || completions != 50 {
			t.Errorf("%d claims and %d completions, want 50 of each", claims, completions)
		}
	})

	bubble(t, "as soon as the one before has landed", func(t *testing.T) {
		f := &faults{before: func(ctx context.Context, _ []dedupe.Op) error { return takes(5 * time.Millisecond)(ctx) }}
		if err := takeOver(f, "a"); err != nil {
			t.Fatal(err)
		}
		g, _ := newGuard(f)
		var h tally
		first := make(chan error, 1)
		go func() { first <- once(t.Context(), g, &h, "a") }()
		time.Sleep(time.Millisecond)
		began := time.Now()
		wantIs(t, once(t.Context(), g, &h, "b"), nil)
		wantIs(t, <-first, dedupe.ErrInProgress)
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("took %v, want the rest of one call and two of its own", took)
		}
	})

	bubble(t, "one session", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Second); return nil }}
		done := make(chan struct{}, len(ts))
		for _, tk := range ts {
			go func() { d.work(tk, &h); done <- struct{}{} }()
		}
		for range ts {
			<-done
		}
		d.Close()
		for n := range ts {
			wantIs(t, d.outcome(t, n), nil)
		}
		if n := f.sent(); n != 2 {
			t.Errorf("%d calls for a batch of 10 fresh records, want 2", n)
		}
	})
}

// A call that hangs does not hold up the others: they stop waiting for it.
func TestHungCall(t *testing.T) {
	for name, kind := range map[string]dedupe.OpKind{
		"claim": dedupe.OpClaim, "completion": dedupe.OpComplete, "release": dedupe.OpRelease,
	} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{before: on(kind, times(3, hang))}
			g, _ := newGuard(f)
			var slow, quick tally
			slow.do = func(context.Context, *consumer.Record) error {
				if kind == dedupe.OpRelease {
					return errHandler
				}
				return nil
			}
			ended := make(chan struct{}, 3)
			for i := range 3 {
				go func() { _ = once(t.Context(), g, &slow, fmt.Sprint("slow", i)); ended <- struct{}{} }()
				time.Sleep(time.Second) // a call of its own
			}
			for i := range 20 {
				began := time.Now()
				wantIs(t, once(t.Context(), g, &quick, fmt.Sprint("quick", i)), nil)
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("record %d took %v behind a call that hangs", i, took)
				}
			}
			for range 3 {
				<-ended
			}
		})
	}
}

// A completion is recorded soon though other handlers of its batch go on for
// long: a crash of theirs must not undo it.
func TestCompletionsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("long", "short")
		h := tally{do: func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "long" {
				time.Sleep(time.Hour)
			}
			return nil
		}}
		done := make(chan struct{}, 2)
		for _, tk := range ts {
			go func() { d.work(tk, &h); done <- struct{}{} }()
		}
		time.Sleep(10 * time.Millisecond)
		f.wantState(t, "short", dedupe.Completed)
		wantIs(t, d.outcome(t, 1), nil)
		<-done
		<-done
		d.Close()
	})
}

// Nothing is left of a session after Close, nor of a call after its callers
// have gone: the end of each bubble proves it.
func TestCloseJoins(t *testing.T) {
	bubble(t, "a heartbeat that hangs", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpExtend, hang)}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		d.admit("a", "b")
		time.Sleep(11 * time.Second) // in the middle of an extend
		began := time.Now()
		d.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close took %v", took)
		}
	})

	bubble(t, "heartbeats that share a hung call", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpExtend, hang)}
		g, _ := newGuard(f)
		var ds []*desk
		for i := range 4 {
			d := openDesk(t.Context(), g, time.Time{})
			d.admit(fmt.Sprint("a", i))
			ds = append(ds, d)
		}
		time.Sleep(11 * time.Second)
		for _, d := range ds {
			d.Close()
		}
	})

	bubble(t, "a heartbeat that waits", func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		d.admit("a")
		d.Close()
	})

	bubble(t, "a settlement that is tried again", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpComplete, times(4, fail))}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		var h tally
		d.work(tk, &h)
		if !d.open(0) {
			t.Error("the record has an outcome before its completion was recorded")
		}
		d.Close()
		wantIs(t, d.outcome(t, 0), nil)
	})

	bubble(t, "claims whose callers have gone", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, hang)}
		g, _ := newGuard(f, func(o *dedupe.Options) { o.StoreTimeout = time.Hour })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var h tally
		ended := make(chan struct{}, 5)
		for i := range 5 {
			go func() { _ = once(ctx, g, &h, fmt.Sprint("a", i)); ended <- struct{}{} }()
		}
		for range 5 {
			<-ended
		}
		synctest.Wait()
	})
}

// Two workers with shaky stores and quick leases never let a record succeed
// twice at the same time, and each record ends completed.
func TestTwoWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		lossy := func(_ context.Context, ops []dedupe.Op) error {
			if ops[0].Owner[1]%4 == 0 && ops[0].Kind != dedupe.OpExtend {
				return errDown
			}
			return nil
		}
		f.before, f.after = lossy, lossy
		guards := []*dedupe.Guard{}
		for range 2 {
			g, _ := newGuard(f, lease(3*time.Second))
			guards = append(guards, g)
		}
		h := tally{do: func(ctx context.Context, rec *consumer.Record) error {
			return takes(time.Duration(rec.ID[0]%8) * time.Second)(ctx)
		}}
		done := make(chan struct{})
		for i := range 60 {
			go func() {
				defer func() { done <- struct{}{} }()
				id := fmt.Sprintf("%crec", 'a'+i%20)
				for once(t.Context(), guards[i%2], &h, id) != nil {
					time.Sleep(time.Second)
				}
			}()
		}
		for range 60 {
			<-done
		}
		for i := range 20 {
			f.wantState(t, fmt.Sprintf("%crec", 'a'+i), dedupe.Completed)
		}
	})
}
