package dedupe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Consumers of different names share a store without noticing each other:
// one's completed work is not the other's.
func TestTwoConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		a, _ := newGuard(f)
		b, _ := newGuard(f, func(o *dedupe.Options) { o.Consumer = "invoices" })
		var ha, hb tally
		hb.do = func(context.Context, *consumer.Record) error { return errHandler }
		for range 2 {
			wantIs(t, once(t.Context(), a, &ha, "a"), nil)
			wantIs(t, once(t.Context(), b, &hb, "a"), errHandler)
		}
		ha.wantRuns(t, "a", 1)
		hb.wantRuns(t, "a", 2)
		if n := f.mem.Len(); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

// A guard within a handler of another guard settles its own row: each of the
// two ends completed, and each handler finds its own claim.
func TestNestedGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		outer, _ := newGuard(f)
		inner, _ := newGuard(f, func(o *dedupe.Options) { o.Consumer = "payments" })
		innerKey, _ := dedupe.KeyOf("payments", dedupe.ID, record("a"))
		in := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			if c, _ := dedupe.FromContext(ctx); c.Key != string(innerKey) {
				t.Errorf("inner handler has the claim %+v", c)
			}
			return nil
		}}
		fails := true
		out := tally{do: func(ctx context.Context, rec *consumer.Record) error {
			if err := inner.Middleware()(&in).HandleRecord(ctx, rec); err != nil {
				return err
			}
			if c, _ := dedupe.FromContext(ctx); c.Key != string(workKey("a")) {
				t.Errorf("outer handler has the claim %+v", c)
			}
			if fails {
				fails = false
				return errHandler
			}
			return nil
		}}
		wantIs(t, once(t.Context(), outer, &out, "a"), errHandler)
		if row := f.row(t, innerKey); row.State != dedupe.Completed {
			t.Errorf("inner row is %v, want COMPLETED", row.State)
		}
		f.wantState(t, "a", dedupe.Failed)
		wantIs(t, once(t.Context(), outer, &out, "a"), nil)
		f.wantState(t, "a", dedupe.Completed)
		in.wantRuns(t, "a", 1)
		out.wantRuns(t, "a", 2)
		if n := f.mem.Len(); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

// A handler that changes its record settles the row that was claimed: the key
// is fixed before it runs.
func TestHandlerChangesRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, func(o *dedupe.Options) {
			o.Key, o.Fingerprint = dedupe.BodyHash, dedupe.BodyFingerprint
		})
		runs := 0
		handle := g.Middleware()(consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			runs++
			rec.ID = "changed"
			copy(rec.Body, "XXXXXX")
			return nil
		})).HandleRecord
		for range 2 {
			wantIs(t, handle(t.Context(), record("abcdef")), nil)
		}
		if runs != 1 || f.mem.Len() != 1 {
			t.Errorf("%d runs and %d rows, want one of each", runs, f.mem.Len())
		}
	})
}

// A retention shorter than a handler does not end its lease: the row stands
// while the handler works, and its twin comes back later.
func TestShortRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		short := func(o *dedupe.Options) { o.Retention = time.Second }
		first, _ := newGuard(f, short)
		second, _ := newGuard(f, short)
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(2 * time.Minute); return nil }}
		outcome := make(chan error, 1)
		go func() { outcome <- once(t.Context(), first, &h, "a") }()
		for range 23 {
			time.Sleep(5 * time.Second)
			wantIs(t, once(t.Context(), second, &h, "a"), dedupe.ErrInProgress)
		}
		wantIs(t, <-outcome, nil)
		wantIs(t, once(t.Context(), second, &h, "a"), nil)
		h.wantRuns(t, "a", 1)
	})
}
