package dedupe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A completion that comes after its lease still counts while nobody took
// over: the effect has happened.
func TestLateCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{before: on(dedupe.OpExtend, fail)} // no heartbeat arrives
		g, l := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error {
			time.Sleep(5 * time.Minute) // and the handler does not listen
			return nil
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		f.wantState(t, "a", dedupe.Completed)
		wantTold[consumer.Completed](t, l, 1)
		wantTold[consumer.CompletionLost](t, l, 0)
	})
}

// A completion whose request or answer is lost is tried again, on a context
// of its own when the caller's has ended, and is never turned into a release:
// the redelivery must find the work done.
func TestCompletionTriedAgain(t *testing.T) {
	for name, broken := range map[string]func(*faults){
		"requests lost":  func(f *faults) { f.before = on(dedupe.OpComplete, times(3, fail)) },
		"answers lost":   func(f *faults) { f.after = on(dedupe.OpComplete, times(3, fail)) },
		"a call hangs":   func(f *faults) { f.before = on(dedupe.OpComplete, times(1, hang)) },
		"an answer late": func(f *faults) { f.after = on(dedupe.OpComplete, times(1, takes(6*time.Second))) },
	} {
		for _, cancelled := range []bool{false, true} {
			cause := map[bool]string{false: "", true: ", caller gone"}[cancelled]
			bubble(t, name+cause, func(t *testing.T) {
				f := &faults{}
				broken(f)
				g, l := newGuard(f)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				h := tally{do: func(context.Context, *consumer.Record) error {
					if cancelled {
						cancel()
					}
					return nil
				}}
				if err := once(ctx, g, &h, "a"); err != nil {
					t.Errorf("got error %v, want none", err)
				}
				f.wantState(t, "a", dedupe.Completed)
				if n := f.count(dedupe.OpRelease); n != 0 {
					t.Errorf("%d releases of a handler that succeeded", n)
				}
				wantTold[consumer.Completed](t, l, 1)
				if err := once(t.Context(), g, &h, "a"); err != nil {
					t.Errorf("redelivery: got error %v, want none", err)
				}
				h.wantRuns(t, "a", 1)
				if e := told[consumer.Duplicate](l); len(e) != 1 || e[0].CompletedAt.IsZero() || e[0].InProcess {
					t.Errorf("redelivery: told %+v, want one duplicate", e)
				}
			})
		}
	}
}

// A completion that can never be written leaves its record failed and its
// claim standing: nobody may run it before the lease has passed, and the loss
// is told.
func TestCompletionNeverWritten(t *testing.T) {
	for name, how := range map[string]func(context.Context) error{"refused": fail, "hangs": hang} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{before: on(dedupe.OpComplete, how)}
			g, l := newGuard(f)
			var h tally
			began := time.Now()
			err := once(t.Context(), g, &h, "a")
			if e, ok := errors.AsType[*dedupe.StoreError](err); !ok || e.Op != dedupe.OpComplete {
				t.Errorf("got error %v, want a StoreError of the completion", err)
			}
			if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
				t.Errorf("gave up after %v, want about SettleTimeout", took)
			}
			if n := f.count(dedupe.OpRelease); n != 0 {
				t.Errorf("%d releases of a handler that succeeded", n)
			}
			f.wantState(t, "a", dedupe.Processing)
			wantTold[consumer.CompletionLost](t, l, 1)
			wantTold[consumer.Completed](t, l, 0)
			wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrInProgress)
			h.wantRuns(t, "a", 1)
		})
	}

	bubble(t, "until the limit of the batch", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpComplete, hang)}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Now().Add(2*time.Second))
		tk := d.admit("a")[0]
		var h tally
		began := time.Now()
		d.work(tk, &h)
		d.Close()
		if took := time.Since(began); took > 2100*time.Millisecond {
			t.Errorf("gave up after %v, want the limit at 2 s", took)
		}
		if _, ok := errors.AsType[*dedupe.StoreError](d.outcome(t, 0)); !ok {
			t.Errorf("got error %v, want a StoreError", d.outcome(t, 0))
		}
	})
}

// A completion that finds its key taken over is reported as failed while the
// other works, since that one may die, and as done once it completed.
func TestCompletionAfterTakeover(t *testing.T) {
	bubble(t, "the other is at work", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error { usurp(t, f, "a"); return nil }}
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
		if row := f.wantState(t, "a", dedupe.Processing); row.Owner != (dedupe.Owner{1}) {
			t.Errorf("row %+v is no longer the other's", row)
		}
		wantTold[consumer.CompletionLost](t, l, 1)
	})

	bubble(t, "the other completed", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		var completed dedupe.Millis
		h := tally{do: func(context.Context, *consumer.Record) error {
			usurp(t, f, "a")
			_, err := f.mem.Apply(t.Context(), []dedupe.Op{{Kind: dedupe.OpComplete, Key: workKey("a"), Owner: dedupe.Owner{1}}})
			completed = dedupe.MillisOf(time.Now())
			time.Sleep(time.Second)
			return err
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none: the work is done", err)
		}
		row := f.wantState(t, "a", dedupe.Completed)
		if row.Owner != (dedupe.Owner{1}) || row.Completed != completed {
			t.Errorf("completion of the other was overwritten: %+v", row)
		}
		wantTold[consumer.CompletionLost](t, l, 1)
		wantTold[consumer.Completed](t, l, 0)
	})
}

// A failure after another worker's completion changes nothing: its record
// must not run a third time.
func TestFailureAfterTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error {
			usurp(t, f, "a")
			_, _ = f.mem.Apply(t.Context(), []dedupe.Op{{Kind: dedupe.OpComplete, Key: workKey("a"), Owner: dedupe.Owner{1}, RetainEnd: dedupe.MillisOf(time.Now()).Add(time.Hour)}})
			return errDown
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), errDown)
		f.wantState(t, "a", dedupe.Completed)
		if told := wantTold[consumer.Released](t, l, 1); told[0].Recorded || !errors.Is(told[0].Err, errDown) {
			t.Errorf("told %+v, want the handler's error and that nothing was recorded", told[0])
		}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("redelivery: got error %v, want none", err)
		}
		h.wantRuns(t, "a", 1)
	})
}
