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

// A handler that ignores the end of its context is reported as failed, once,
// and keeps its claim while it runs, so that no twin runs beside it; what it
// returns late still counts.
func TestAbandon(t *testing.T) {
	for name, c := range map[string]struct {
		late  error
		after time.Duration
		want  dedupe.State
	}{
		"late success":              {nil, 20 * time.Second, dedupe.Completed},
		"success after the lease":   {nil, time.Hour, dedupe.Completed},
		"late failure":              {errHandler, 20 * time.Second, dedupe.Failed},
		"late failure, lease ended": {errHandler, time.Hour, dedupe.Failed},
	} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, l := newGuard(f)
			d := openDesk(t.Context(), g, time.Now().Add(5*time.Second))
			tk := d.admit("a")[0]
			ended := make(chan struct{})
			h := tally{do: func(context.Context, *consumer.Record) error {
				time.Sleep(c.after)
				return c.late
			}}
			go func() { defer close(ended); d.work(tk, &h) }()
			time.Sleep(time.Second)
			if !tk.Abandon(context.DeadlineExceeded) || tk.Abandon(errDown) {
				t.Error("want a running handler to be abandoned, once")
			}
			d.Close() // does not wait for the handler
			wantIs(t, d.outcome(t, 0), context.DeadlineExceeded)
			wantTold[consumer.Abandoned](t, l, 1)
			row := f.wantState(t, "a", dedupe.Processing)

			err := once(t.Context(), g, &h, "a") // a redelivery in this process
			wantIs(t, err, dedupe.ErrInProgress)
			if e, ok := errors.AsType[*consumer.RetryError](err); !ok || e.After <= 0 {
				t.Errorf("redelivery: got error %v, want to come back later", err)
			}
			time.Sleep(time.Until(row.LeaseEnd.Time()))
			if row := f.row(t, workKey("a")); c.after == time.Hour && row.LeaseEnd.Time().After(time.Now()) {
				t.Errorf("lease of an abandoned handler was extended to %v", row.LeaseEnd.Time())
			}
			if c.after == time.Hour {
				err = once(t.Context(), g, &h, "a")
				wantIs(t, err, dedupe.ErrInProgress)
				if e, ok := errors.AsType[*consumer.RetryError](err); !ok || e.After < time.Second {
					t.Errorf("redelivery after the lease: got error %v, want to come back later", err)
				}
			}
			<-ended
			synctest.Wait()
			f.wantState(t, "a", c.want)
			wantIs(t, d.outcome(t, 0), context.DeadlineExceeded) // told once

			h.do = nil
			if err := once(t.Context(), g, &h, "a"); err != nil {
				t.Errorf("redelivery: got error %v, want none", err)
			}
			h.wantRuns(t, "a", map[bool]int{true: 1, false: 2}[c.late == nil])
		})
	}

	bubble(t, "another worker took over", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		other, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		ended := make(chan struct{})
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Hour); return nil }}
		go func() { defer close(ended); d.work(tk, &h) }()
		time.Sleep(time.Second)
		tk.Abandon(errDown)
		d.Close()
		time.Sleep(time.Minute) // the lease lapses
		var twin tally
		if err := once(t.Context(), other, &twin, "a"); err != nil {
			t.Errorf("other worker: got error %v, want none", err)
		}
		twin.wantRuns(t, "a", 1)
		<-ended
		synctest.Wait()
		wantTold[consumer.CompletionLost](t, l, 1)
		wantIs(t, d.outcome(t, 0), errDown)
	})

	bubble(t, "while its batch goes on", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpComplete, hang)}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b")
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }}
		go d.work(ts[0], &h)
		time.Sleep(time.Second)
		ts[0].Abandon(errDown)
		time.Sleep(31 * time.Second)
		if end := f.row(t, workKey("a")).LeaseEnd.Time(); end.After(time.Now()) {
			t.Errorf("lease of an abandoned handler was extended to %v", end)
		}
		if end := f.row(t, workKey("b")).LeaseEnd.Time(); end.Before(time.Now()) {
			t.Errorf("lease of its neighbour ended at %v", end)
		}
		ts[1].Skip(errDown)
		time.Sleep(29 * time.Second) // its late completion is on the way
		began := time.Now()
		d.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close waited %v for a handler that was abandoned", took)
		}
		time.Sleep(time.Minute)
		wantIs(t, d.outcome(t, 0), errDown)
	})

	bubble(t, "without a guard", func(t *testing.T) {
		var g *dedupe.Guard
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Hour); return nil }}
		go d.work(tk, &h)
		time.Sleep(time.Second)
		tk.Abandon(errDown)
		d.Close()
		time.Sleep(time.Hour)
		wantIs(t, d.outcome(t, 0), errDown)
	})

	bubble(t, "only while it runs", func(t *testing.T) {
		g, l := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		if tk.Abandon(errDown) {
			t.Error("a handler that did not start was abandoned")
		}
		var h tally
		d.work(tk, &h)
		if tk.Abandon(errDown) || tk.Skip(errDown) {
			t.Error("a record that is done was abandoned or skipped")
		}
		d.Close()
		wantIs(t, d.outcome(t, 0), nil)
		wantTold[consumer.Abandoned](t, l, 0)
	})
}

// Those who wait for a twin that is abandoned wait no longer: they come back
// when its lease may have ended.
func TestAbandonWithFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Hour); return nil }}
		go d.work(ts[0], &h)
		time.Sleep(time.Second)
		ts[0].Abandon(errDown)
		err := d.outcome(t, 1)
		wantIs(t, err, dedupe.ErrInProgress)
		if e, ok := errors.AsType[*consumer.RetryError](err); !ok || e.After != 30*time.Second {
			t.Errorf("got error %v, want to come back after the 30 s of lease left", err)
		}
		d.Close()
		time.Sleep(time.Hour)
		d.outcome(t, 1) // told once
		h.wantRuns(t, "a", 1)
		wantTold[consumer.InProgress](t, l, 1)
	})
}
