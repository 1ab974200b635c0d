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

func lease(d time.Duration) func(*dedupe.Options) {
	return func(o *dedupe.Options) { o.Lease, o.Skew = d, time.Second }
}

// A claim whose answer came so late that its lease has no margin left is
// extended before the handler starts, since another worker may be about to
// take over.
func TestSlowClaim(t *testing.T) {
	slow := on(dedupe.OpClaim, takes(4*time.Second))

	bubble(t, "extended first", func(t *testing.T) {
		f := &faults{after: slow}
		g, _ := newGuard(f, lease(3*time.Second))
		h := tally{do: func(context.Context, *consumer.Record) error {
			row := f.wantState(t, "a", dedupe.Processing)
			if left := time.Until(row.LeaseEnd.Time()); left < time.Second {
				t.Errorf("handler starts with a lease of %v, want the margin of 1 s", left)
			}
			return nil
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		h.wantRuns(t, "a", 1)
	})

	// A clock ahead by all of the skew may give the key away there.
	bubble(t, "extended at the very margin", func(t *testing.T) {
		f := &faults{after: on(dedupe.OpClaim, takes(3*time.Second))}
		g, _ := newGuard(f, lease(3*time.Second))
		h := tally{do: func(context.Context, *consumer.Record) error {
			row := f.wantState(t, "a", dedupe.Processing)
			if left := time.Until(row.LeaseEnd.Time()); left <= time.Second {
				t.Errorf("handler starts with a lease of %v, want more than the margin of 1 s", left)
			}
			return nil
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "not run when the lease is lost", func(t *testing.T) {
		f := &faults{after: slow}
		g, l := newGuard(f, lease(3*time.Second))
		f.before = on(dedupe.OpExtend, times(1, func(context.Context) error { return takeOver(f, "a") }))
		var h tally
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
		h.wantRuns(t, "a", 0)
		f.wantState(t, "a", dedupe.Processing) // the other's
		wantTold[consumer.LeaseLost](t, l, 1)
	})

	bubble(t, "not run when the extend is undecided", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpExtend, fail), after: slow}
		g, _ := newGuard(f, lease(3*time.Second))
		var h tally
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
		h.wantRuns(t, "a", 0)
		f.wantState(t, "a", dedupe.Failed)
	})

	bubble(t, "not run when the extend is as slow", func(t *testing.T) {
		f := &faults{after: func(ctx context.Context, ops []dedupe.Op) error {
			if k := ops[0].Kind; k == dedupe.OpClaim || k == dedupe.OpExtend {
				return takes(4 * time.Second)(ctx)
			}
			return nil
		}}
		g, _ := newGuard(f, lease(3*time.Second))
		h := tally{do: func(context.Context, *consumer.Record) error {
			if row := f.row(t, workKey("a")); time.Until(row.LeaseEnd.Time()) < time.Second {
				t.Errorf("handler starts with a lease that ends at %v, now %v", row.LeaseEnd.Time(), time.Now())
			}
			return nil
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
	})

	bubble(t, "kept alive from when it was sent", func(t *testing.T) {
		f := &faults{after: on(dedupe.OpClaim, times(1, takes(5900*time.Millisecond)))}
		first, _ := newGuard(f, lease(6*time.Second), func(o *dedupe.Options) { o.StoreTimeout = time.Minute })
		second, _ := newGuard(f)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error { return takes(20 * time.Second)(ctx) }}
		outcome := make(chan error, 1)
		go func() { outcome <- once(t.Context(), first, &h, "a") }()
		for range 20 {
			time.Sleep(time.Second)
			wantIs(t, once(t.Context(), second, &h, "a"), dedupe.ErrInProgress)
		}
		if err := <-outcome; err != nil {
			t.Errorf("got error %v, want none", err)
		}
		h.wantRuns(t, "a", 1)
	})
}

// takeOver lets a stranger claim the key of id, whose lease must have passed.
func takeOver(f *faults, id string) error {
	now := dedupe.MillisOf(time.Now())
	vs, err := f.mem.Apply(context.Background(), []dedupe.Op{{
		Kind: dedupe.OpClaim, Key: workKey(id), Owner: dedupe.Owner{1},
		LeaseEnd: now.Add(time.Minute), RetainEnd: now.Add(time.Hour),
	}})
	if err == nil && vs[0].Outcome != dedupe.Won {
		err = errors.New("takeover: " + vs[0].Outcome.String())
	}
	return err
}

// usurp makes the row of id another worker's, as if the lease had lapsed: a
// frozen process cannot tell.
func usurp(t *testing.T, f *faults, id string) {
	t.Helper()
	row := f.row(t, workKey(id))
	if _, err := f.mem.Apply(t.Context(), []dedupe.Op{{Kind: dedupe.OpRelease, Key: workKey(id), Owner: row.Owner}}); err != nil {
		t.Fatal(err)
	}
	if err := takeOver(f, id); err != nil {
		t.Fatal(err)
	}
}

// The lease of a handler that works for long is kept alive: no other worker
// takes over, however slow or shaky the store is.
func TestHeartbeat(t *testing.T) {
	for name, f := range map[string]*faults{
		"quick store":                 {},
		"slow store":                  {before: on(dedupe.OpExtend, takes(2*time.Second))},
		"slow answers":                {after: on(dedupe.OpExtend, takes(2*time.Second))},
		"store away for some seconds": {before: on(dedupe.OpExtend, times(3, fail))},
		"store hangs for some time":   {before: on(dedupe.OpExtend, times(1, hang))},
		"answers lost":                {after: on(dedupe.OpExtend, times(3, fail))},
	} {
		bubble(t, name, func(t *testing.T) {
			first, l := newGuard(f, lease(9*time.Second))
			second, _ := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error { return takes(100 * time.Second)(ctx) }}
			outcome := make(chan error, 1)
			go func() { outcome <- once(t.Context(), first, &h, "a") }()
			for range 49 {
				time.Sleep(2 * time.Second)
				err := once(t.Context(), second, &h, "a")
				wantIs(t, err, dedupe.ErrInProgress)
				if e, ok := errors.AsType[*consumer.RetryError](err); !ok || e.After <= 0 || e.After > 10*time.Second {
					t.Errorf("got error %v, want to come back when the lease may have ended", err)
				}
			}
			if err := <-outcome; err != nil {
				t.Errorf("got error %v, want none", err)
			}
			h.wantRuns(t, "a", 1)
			wantTold[consumer.LeaseLost](t, l, 0)
			if n := f.count(dedupe.OpExtend); n > 60 {
				t.Errorf("%d extends in 100 s of a lease of 9 s", n)
			}
		})
	}
}

// A record that waits for its turn keeps its lease too, also when it was
// claimed after others of its session.
func TestHeartbeatOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, lease(3*time.Second))
		d := openDesk(t.Context(), g, time.Time{})
		var h tally
		a := d.admit("a")[0]
		d.work(a, &h)
		time.Sleep(10 * time.Second) // the heartbeat found nothing to keep
		b := &d.Admit(records("b"), 1)[0]
		time.Sleep(10 * time.Second)
		row := f.wantState(t, "b", dedupe.Processing)
		if time.Until(row.LeaseEnd.Time()) < time.Second {
			t.Errorf("lease of b ended at %v, now %v", row.LeaseEnd.Time(), time.Now())
		}
		if kept := time.Until(row.RetainEnd.Time()); kept < 14*24*time.Hour-2*time.Second {
			t.Errorf("row is kept for %v, want the retention from the last write", kept)
		}
		d.work(b, &h)
		d.Close()
		h.wantRuns(t, "b", 1)
		if n := f.count(dedupe.OpExtend); n < 8 || n > 11 {
			t.Errorf("%d extends in 10 s of a lease of 3 s", n)
		}
	})
}

// A handler whose key passed to another worker is told so: its context, and
// those made from it, end with ErrLeaseLost as their cause.
func TestLeaseTakenOver(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context) context.Context{
		"own context": func(ctx context.Context) context.Context { return ctx },
		"child with a timeout": func(ctx context.Context) context.Context {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			context.AfterFunc(child, cancel)
			return child
		},
		"grandchild": func(ctx context.Context) context.Context {
			child, cancel := context.WithCancelCause(context.WithValue(ctx, ctxKey{}, 1))
			context.AfterFunc(child, func() { cancel(nil) })
			return child
		},
	} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, l := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				if ctx.Err() != nil || context.Cause(ctx) != nil {
					t.Errorf("context has ended at the start: %v", context.Cause(ctx))
				}
				child := wait(ctx)
				usurp(t, f, "a")
				began := time.Now()
				<-child.Done()
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("context ended after %v, want the next heartbeat", took)
				}
				wantIs(t, context.Cause(child), dedupe.ErrLeaseLost)
				wantIs(t, context.Cause(ctx), dedupe.ErrLeaseLost)
				wantIs(t, child.Err(), context.Canceled)
				return context.Cause(child)
			}}
			wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
			row := f.wantState(t, "a", dedupe.Processing)
			if row.Owner != (dedupe.Owner{1}) || row.Failures != 0 {
				t.Errorf("row %+v was changed by a worker that had lost it", row)
			}
			wantTold[consumer.LeaseLost](t, l, 1)
			if told := wantTold[consumer.Released](t, l, 1); told[0].Recorded {
				t.Errorf("told %+v, want that nothing was recorded", told[0])
			}
		})
	}

	bubble(t, "before the handler starts", func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		tk := d.admit("a")[0]
		usurp(t, f, "a")
		time.Sleep(11 * time.Second) // the heartbeat finds it
		var h tally
		d.work(tk, &h)
		d.Close()
		wantIs(t, d.outcome(t, 0), dedupe.ErrLeaseLost)
		h.wantRuns(t, "a", 0)
		wantTold[consumer.LeaseLost](t, l, 1)
	})

	bubble(t, "nobody waits for the end", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			usurp(t, f, "a")
			time.Sleep(11 * time.Second)
			wantIs(t, context.Cause(ctx), dedupe.ErrLeaseLost)
			wantIs(t, ctx.Err(), context.Canceled)
			return ctx.Err()
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), context.Canceled)
	})
}

type ctxKey struct{}

// A handler's context ends before its lease does when the store does not
// answer any more: behind the margin another worker may claim.
func TestLeaseNotConfirmed(t *testing.T) {
	for name, how := range map[string]func(context.Context) error{"refuses": fail, "hangs": hang} {
		for _, span := range []time.Duration{2 * time.Second, 7 * time.Second, 30 * time.Second} {
			bubble(t, name+" "+span.String(), func(t *testing.T) {
				f := &faults{before: on(dedupe.OpExtend, how)}
				g, l := newGuard(f, lease(span))
				claimed := time.Now()
				h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
					<-ctx.Done()
					if got := time.Since(claimed); got < span-time.Second || got > span+100*time.Millisecond {
						t.Errorf("context ended %v after the claim, want the margin at %v", got, span)
					}
					wantIs(t, context.Cause(ctx), dedupe.ErrLeaseLost)
					if context.Cause(ctx).Error() == "" {
						t.Error("cause says nothing")
					}
					return ctx.Err()
				}}
				wantIs(t, once(t.Context(), g, &h, "a"), context.Canceled)
				wantTold[consumer.LeaseLost](t, l, 1)
				f.wantState(t, "a", dedupe.Failed)
				if n := f.count(dedupe.OpExtend); n > 40 {
					t.Errorf("%d extends, want some", n)
				}
			})
		}
	}

	bubble(t, "store gives no reason", func(t *testing.T) {
		s := &mute{}
		g := dedupe.New(s, dedupe.Options{Consumer: worker})
		var h tally
		h.do = func(ctx context.Context, _ *consumer.Record) error {
			<-ctx.Done()
			wantIs(t, context.Cause(ctx), dedupe.ErrLeaseLost)
			_ = context.Cause(ctx).Error() // must not panic
			return ctx.Err()
		}
		wantIs(t, once(t.Context(), g, &h, "a"), context.Canceled)
	})
}

// mute is a store that leaves extends undecided and says no reason.
type mute struct{ faults }

func (m *mute) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	vs, err := m.faults.Apply(ctx, ops)
	for i := range vs {
		if ops[i].Kind == dedupe.OpExtend {
			vs[i] = dedupe.Verdict{}
		}
	}
	return vs, err
}

// A lease ends with its batch: it never reaches past the limit by more than
// the skew, so that a killed worker's records come back soon.
func TestLeaseLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, lease(6*time.Second))
		limit := time.Now().Add(10 * time.Second)
		d := openDesk(t.Context(), g, limit)
		tk := d.admit("a")[0]
		for range 9 {
			time.Sleep(time.Second)
			end := f.wantState(t, "a", dedupe.Processing).LeaseEnd.Time()
			if end.After(limit.Add(time.Second)) {
				t.Errorf("lease ends %v behind the limit, want the skew at most", end.Sub(limit))
			}
			if time.Until(end) < time.Second {
				t.Errorf("lease ended at %v", end)
			}
		}
		tk.Skip(errDown)
		d.Close()
	})
}

// A row that the owner completed itself, by a transaction, needs no lease any
// more: its handler is not told that it lost it.
func TestHeartbeatAfterTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			row := f.row(t, workKey("a"))
			if _, err := f.mem.Apply(ctx, []dedupe.Op{{Kind: dedupe.OpComplete, Key: workKey("a"), Owner: row.Owner, RetainEnd: row.RetainEnd}}); err != nil {
				t.Error(err)
			}
			return takes(time.Minute)(ctx)
		}}
		if err := once(t.Context(), g, &h, "a"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		wantTold[consumer.LeaseLost](t, l, 0)
	})
}
