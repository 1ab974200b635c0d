package dedupe_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A handler that fails gives its key back and is counted, so that the
// redelivery runs at once and knows how often the work was tried; a record
// that did not start is given back uncounted.
func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		broken := errors.New(strings.Repeat("broken: ö", 40))
		h := tally{do: func(context.Context, *consumer.Record) error { return broken }}
		wantIs(t, once(t.Context(), g, &h, "a"), broken)
		row := f.wantState(t, "a", dedupe.Failed)
		if row.Failures != 1 || row.LastError == "" || len(row.LastError) > 200 ||
			!strings.HasPrefix(broken.Error(), row.LastError) || !utf8.ValidString(row.LastError) {
			t.Errorf("row counts %d failures, the last %q", row.Failures, row.LastError)
		}
		if e := told[consumer.Released](l); len(e) != 1 || !e[0].Ran || e[0].Err != broken {
			t.Errorf("told %+v, want one release of a handler that ran", e)
		}

		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		if !tk.Skip(errDown) || tk.Skip(errDown) {
			t.Error("want a ready ticket to be skipped, once")
		}
		d.Close()
		wantIs(t, d.outcome(t, 0), errDown)
		if row := f.wantState(t, "a", dedupe.Failed); row.Failures != 1 || row.Claims != 2 {
			t.Errorf("row counts %d failures in %d claims, want 1 in 2", row.Failures, row.Claims)
		}
		if e := told[consumer.Released](l); len(e) != 2 || e[1].Ran || e[1].Err != errDown {
			t.Errorf("told %+v, want a release of a handler that did not run", e)
		}
		if e := told[consumer.Claimed](l); len(e) != 2 || e[1].Claims != 2 || e[1].Failures != 1 || e[1].Fence <= e[0].Fence {
			t.Errorf("told %+v, want the second claim with one failure and a larger fence", e)
		}
		h.do = nil
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("redelivery: got error %v, want none", err)
		}
	})
}

// A release whose messages are lost is tried again, and the record fails with
// its own error however that ends: the lease will pass.
func TestReleaseLost(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*faults)
		want   dedupe.State
	}{
		"request":       {func(f *faults) { f.before = on(dedupe.OpRelease, times(2, fail)) }, dedupe.Failed},
		"answer":        {func(f *faults) { f.after = on(dedupe.OpRelease, times(2, fail)) }, dedupe.Failed},
		"every request": {func(f *faults) { f.before = on(dedupe.OpRelease, fail) }, dedupe.Processing},
		"hangs":         {func(f *faults) { f.before = on(dedupe.OpRelease, hang) }, dedupe.Processing},
	} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			c.broken(f)
			g, _ := newGuard(f)
			h := tally{do: func(context.Context, *consumer.Record) error { return errHandler }}
			began := time.Now()
			wantIs(t, once(t.Context(), g, &h, "a"), errHandler)
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("took %v, want at most SettleTimeout", took)
			}
			if row := f.wantState(t, "a", c.want); row.Failures > 1 {
				t.Errorf("row counts %d failures, want at most 1", row.Failures)
			}
		})
	}
}

var errHandler = errors.New("handler failed")

// A handler that panics or ends its goroutine fails its own record and gives
// the key back; nothing else is disturbed.
func TestHandlerEndsBadly(t *testing.T) {
	bubble(t, "panic", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error { panic(errHandler) }}
		err := once(t.Context(), g, &h, "a")
		wantIs(t, err, errHandler)
		if e, ok := errors.AsType[*consumer.PanicError](err); !ok || len(e.Stack) == 0 {
			t.Errorf("got error %v, want a PanicError with its stack", err)
		}
		if row := f.wantState(t, "a", dedupe.Failed); row.Failures != 1 {
			t.Errorf("row counts %d failures, want 1", row.Failures)
		}
	})

	bubble(t, "panic without a guard", func(t *testing.T) {
		var g *dedupe.Guard
		h := tally{do: func(context.Context, *consumer.Record) error { panic("x") }}
		if _, ok := errors.AsType[*consumer.PanicError](once(t.Context(), g, &h, "a")); !ok {
			t.Error("want a PanicError")
		}
	})

	bubble(t, "Goexit", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b")
		h := tally{do: func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "a" {
				runtime.Goexit()
			}
			return nil
		}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.work(ts[0], &h)
			t.Error("the handler's goroutine went on")
		}()
		<-ended
		d.work(ts[1], &h)
		d.Close()
		wantIs(t, d.outcome(t, 0), consumer.ErrGoexit)
		wantIs(t, d.outcome(t, 1), nil)
		f.wantState(t, "a", dedupe.Failed)
		wantTold[consumer.Released](t, l, 1)

		wantNobodyInside(t, g)
	})

	bubble(t, "Goexit in a middleware", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error { runtime.Goexit(); return nil }}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = once(t.Context(), g, &h, "a") }()
		<-ended
		f.wantState(t, "a", dedupe.Failed)
		wantNobodyInside(t, g)
	})
}

// wantNobodyInside fails the test unless each Enter had its Leave: then a
// settlement waits for no companions.
func wantNobodyInside(t *testing.T, g *dedupe.Guard) {
	t.Helper()
	began := time.Now()
	d := openDesk(t.Context(), g, time.Time{})
	tk := d.admit("nobody inside")[0]
	tk.Settle(tk.Handle(&tally{}))
	if d.open(0) || time.Since(began) > 0 {
		t.Error("a settlement waits for somebody who has gone")
	}
	d.Close()
}

// A transaction that committed, though the handler heard of an error, has
// done the record: its release finds it completed.
func TestReleaseFindsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			row := f.row(t, workKey("a"))
			_, _ = f.mem.Apply(ctx, []dedupe.Op{{Kind: dedupe.OpComplete, Key: workKey("a"), Owner: row.Owner}})
			return errHandler
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		wantTold[consumer.Completed](t, l, 1)
		wantTold[consumer.Released](t, l, 0)
	})
}

// A batch that ends before a handler starts gives the record back, and a
// handler that returns the end of its context counts as a run.
func TestCallerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		d := openDesk(ctx, g, time.Time{})
		ts := d.admit("a", "b")
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			cancel(why)
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		d.work(ts[0], &h)
		d.work(ts[1], &h)
		d.Close()
		for n := range 2 {
			wantIs(t, d.outcome(t, n), why)
		}
		h.wantRuns(t, "b", 0)
		if row := f.wantState(t, "a", dedupe.Failed); row.Failures != 1 {
			t.Errorf("row of a counts %d failures, want 1", row.Failures)
		}
		if row := f.wantState(t, "b", dedupe.Failed); row.Failures != 0 {
			t.Errorf("row of b counts %d failures, want 0", row.Failures)
		}
	})
}

// Giving up many records at once makes few calls, and none in the goroutine
// that gives up: a store that hangs must not hold it.
func TestSkipMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{before: on(dedupe.OpRelease, times(1, hang))}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b", "c", "d", "e", "f", "g", "h")
		began := time.Now()
		for _, tk := range ts {
			tk.Skip(errDown)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
		d.Close()
		if n := f.count(dedupe.OpRelease); n != 2*len(ts) {
			t.Errorf("%d releases, want two each", n)
		}
		for n := range ts {
			wantIs(t, d.outcome(t, n), errDown)
		}
	})
}
