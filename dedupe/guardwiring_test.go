package dedupe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// New panics on what can only be a mistake in wiring, and says what.
func TestNewPanics(t *testing.T) {
	for name, c := range map[string]struct {
		store dedupe.Store
		o     dedupe.Options
	}{
		"no store":                {nil, dedupe.Options{Consumer: worker}},
		"no consumer":             {&faults{}, dedupe.Options{}},
		"negative lease":          {&faults{}, dedupe.Options{Consumer: worker, Lease: -1}},
		"negative skew":           {&faults{}, dedupe.Options{Consumer: worker, Skew: -1}},
		"negative retention":      {&faults{}, dedupe.Options{Consumer: worker, Retention: -1}},
		"negative redelivery":     {&faults{}, dedupe.Options{Consumer: worker, Redelivery: -1}},
		"negative store timeout":  {&faults{}, dedupe.Options{Consumer: worker, StoreTimeout: -1}},
		"negative settle timeout": {&faults{}, dedupe.Options{Consumer: worker, SettleTimeout: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "dedupe: New") {
					t.Errorf("panicked with %q, want a text that begins with dedupe: New", s)
				}
			}()
			dedupe.New(c.store, c.o)
		})
	}
}

// A record without a usable key fails alone, with the reason, and never
// reaches the store under an empty key.
func TestKeyErrors(t *testing.T) {
	bubble(t, "per record", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "", "b")
		if !ts[0].Ready() || ts[1].Ready() || !ts[2].Ready() {
			t.Error("want those with a key to be ready, and no other")
		}
		wantIs(t, d.outcome(t, 1), dedupe.ErrNoKey)
		if _, ok := errors.AsType[*dedupe.KeyError](d.outcome(t, 1)); !ok {
			t.Errorf("got error %v, want a KeyError", d.outcome(t, 1))
		}
		if n := f.count(dedupe.OpClaim); n != 2 {
			t.Errorf("%d claims, want 2", n)
		}
		if e := told[consumer.Rejected](l); len(e) != 1 || e[0].Key != "" {
			t.Errorf("told %+v, want one record rejected without a key", e)
		}
		ts[0].Skip(errDown)
		ts[2].Skip(errDown)
		d.Close()
	})

	bubble(t, "a panic of the function", func(t *testing.T) {
		g, _ := newGuard(&faults{}, func(o *dedupe.Options) {
			o.Key = func(w *dedupe.KeyWriter, rec *consumer.Record) error {
				w.String(rec.Raw.(string))
				return nil
			}
		})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.Admit([]*consumer.Record{{Raw: 1}, {Raw: "a"}}, 0)
		if _, ok := errors.AsType[*consumer.PanicError](d.outcome(t, 0)); !ok {
			t.Errorf("got error %v, want a PanicError", d.outcome(t, 0))
		}
		if !ts[1].Ready() {
			t.Error("its neighbour is not ready")
		}
		ts[1].Skip(errDown)
		d.Close()
	})
}

// A retention that ends before the last redelivery can come is told, once.
func TestRetentionShort(t *testing.T) {
	for name, c := range map[string]struct {
		redelivery time.Duration
		want       int
	}{"unknown": {0, 0}, "long enough": {14 * 24 * time.Hour, 0}, "short": {35 * 24 * time.Hour, 1}} {
		bubble(t, name, func(t *testing.T) {
			g, l := newGuard(&faults{}, func(o *dedupe.Options) { o.Redelivery = c.redelivery })
			var h tally
			for _, id := range []string{"a", "b", "c"} {
				wantIs(t, once(t.Context(), g, &h, id), nil)
			}
			wantTold[consumer.RetentionShort](t, l, c.want)
			if e := told[consumer.RetentionShort](l); len(e) == 1 && e[0].Needed != c.redelivery {
				t.Errorf("told %+v, want what is needed", e[0])
			}
		})
	}
}

// A handler finds its claim in its context, to pass on key and fence, and the
// values of the caller's context; without a guard there is no claim.
func TestFromContext(t *testing.T) {
	bubble(t, "guarded", func(t *testing.T) {
		g, l := newGuard(&faults{})
		caller := context.WithValue(t.Context(), ctxKey{}, "kept")
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			child, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			for _, ctx := range []context.Context{ctx, child, context.WithoutCancel(child)} {
				c, ok := dedupe.FromContext(ctx)
				want := told[consumer.Claimed](l)[0]
				if !ok || c.Key != string(workKey("a")) || c.Key != want.Key || c.Fence != want.Fence || c.Claims != 1 || c.Failures != 0 {
					t.Errorf("got claim %+v, %v, want that of %+v", c, ok, want)
				}
				if ctx.Value(ctxKey{}) != "kept" {
					t.Error("the caller's value is lost")
				}
			}
			return nil
		}}
		wantIs(t, once(caller, g, &h, "a"), nil)
	})

	bubble(t, "nil guard", func(t *testing.T) {
		var g *dedupe.Guard
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			if c, ok := dedupe.FromContext(ctx); ok {
				t.Errorf("got claim %+v without a guard", c)
			}
			return errHandler
		}}
		for range 2 { // nothing is kept
			wantIs(t, once(t.Context(), g, &h, "a"), errHandler)
		}
		h.wantRuns(t, "a", 2)
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		if !tk.Skip(errDown) {
			t.Error("a ready ticket was not skipped")
		}
		d.Close()
		wantIs(t, d.outcome(t, 0), errDown)
	})

	if _, ok := dedupe.FromContext(t.Context()); ok {
		t.Error("got a claim from a context without one")
	}
}

// The context of a handler ends with the caller's, with its cause, and when
// the handler has returned.
func TestHandlerContext(t *testing.T) {
	bubble(t, "with the caller's", func(t *testing.T) {
		g, _ := newGuard(&faults{})
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			time.AfterFunc(time.Second, func() { cancel(errHandler) })
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		wantIs(t, once(ctx, g, &h, "a"), errHandler)
	})

	bubble(t, "after the handler", func(t *testing.T) {
		g, _ := newGuard(&faults{})
		var kept, listened context.Context
		h := tally{do: func(ctx context.Context, rec *consumer.Record) error {
			if rec.ID == "b" {
				_ = ctx.Done()
				listened = ctx
				return nil
			}
			kept = ctx
			return nil
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		wantIs(t, once(t.Context(), g, &h, "b"), nil)
		for _, ctx := range []context.Context{kept, listened} {
			<-ctx.Done()
			wantIs(t, ctx.Err(), context.Canceled)
		}
	})
}
