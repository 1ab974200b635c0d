package dedupe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

func atMostOnce(o *dedupe.Options) { o.AtMostOnce = true }

// A record of an at-most-once consumer whose run may have happened never runs
// again by itself, however often it is delivered.
func TestAtMostOnce(t *testing.T) {
	bubble(t, "parked after a crash", func(t *testing.T) {
		f := &faults{}
		if err := takeOver(f, "a"); err != nil { // by a worker that dies
			t.Fatal(err)
		}
		g, l := newGuard(f, atMostOnce)
		var h tally
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrInProgress)
		for _, wait := range []time.Duration{time.Minute, 365 * 24 * time.Hour} {
			time.Sleep(wait)
			wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrParked)
		}
		h.wantRuns(t, "a", 0)
		f.wantState(t, "a", dedupe.Parked)
		wantTold[consumer.Parked](t, l, 2)
	})

	bubble(t, "parked after a failed run", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, atMostOnce)
		h := tally{do: func(context.Context, *consumer.Record) error { return errHandler }}
		err := once(t.Context(), g, &h, "a")
		wantIs(t, err, errHandler)
		wantIs(t, err, dedupe.ErrParked)
		h.do = nil
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrParked)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "its followers too", func(t *testing.T) {
		g, _ := newGuard(&faults{}, atMostOnce)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		h := tally{do: func(context.Context, *consumer.Record) error { return errHandler }}
		d.work(ts[0], &h)
		d.Close()
		for n := range ts {
			wantIs(t, d.outcome(t, n), dedupe.ErrParked)
		}
	})

	bubble(t, "claimable when the handler did not run", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, atMostOnce)
		d := openDesk(t.Context(), g, time.Time{})
		d.admit("a")[0].Skip(errDown)
		d.Close()
		f.wantState(t, "a", dedupe.Failed)
		var h tally
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "a late completion unparks it", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpExtend, fail)} // so that the lease lapses
		g, _ := newGuard(f, atMostOnce)
		other, _ := newGuard(f, atMostOnce)
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }}
		outcome := make(chan error, 1)
		go func() { outcome <- once(t.Context(), g, &h, "a") }()
		time.Sleep(50 * time.Second)
		wantIs(t, once(t.Context(), other, &h, "a"), dedupe.ErrParked)
		wantIs(t, <-outcome, nil)
		f.wantState(t, "a", dedupe.Completed)
		wantIs(t, once(t.Context(), other, &h, "a"), nil)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "a lost answer to the claim parks nothing", func(t *testing.T) {
		f := &faults{after: on(dedupe.OpClaim, fail)}
		g, _ := newGuard(f, atMostOnce)
		var h tally
		wantIs(t, once(t.Context(), g, &h, "a"), errDown)
		f.wantState(t, "a", dedupe.Failed)
		f.after = nil
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		h.wantRuns(t, "a", 1)
	})
}

// ClaimsLate is what keeps a killed batch from parking the records that it
// had not started.
func TestClaimsLate(t *testing.T) {
	late, _ := newGuard(&faults{}, atMostOnce)
	early, _ := newGuard(&faults{})
	var none *dedupe.Guard
	if !late.ClaimsLate() || early.ClaimsLate() || none.ClaimsLate() {
		t.Errorf("ClaimsLate: at-most-once %v, else %v, nil %v", late.ClaimsLate(), early.ClaimsLate(), none.ClaimsLate())
	}
}

// The row of a run that died is parked even when its retention was shorter than
// its lease: it may have run.
func TestAtMostOnceShortRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		o := func(o *dedupe.Options) { o.AtMostOnce, o.Retention = true, 10*time.Second }
		g, _ := newGuard(f, o)
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		var h tally
		_ = tk.Handle(&h) // and the worker dies
		d.Close()
		time.Sleep(time.Minute)
		g2, _ := newGuard(f, o)
		t.Log(once(t.Context(), g2, &h, "a"))
		h.wantRuns(t, "a", 1)
	})
}
