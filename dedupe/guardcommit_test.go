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

// commit is a store's transaction: it carries out the completion.
func (f *faults) commit(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
	vs, err := f.mem.Apply(ctx, []dedupe.Op{op})
	if err != nil {
		return dedupe.Verdict{}, err
	}
	return vs[0], nil
}

// unheard is one whose answer is lost.
func (f *faults) unheard(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
	_, _ = f.commit(ctx, op)
	return dedupe.Verdict{Err: errDown}, nil
}

func wantUndecided(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*dedupe.StoreError](err); !ok || e.Op != dedupe.OpComplete {
		t.Errorf("got error %v, want a StoreError of a completion", err)
	}
}

// A record whose transaction was committed is done, whatever its handler
// returns: the store hears nothing more of it, and its completion is told
// once. A second transaction for the same claim is refused.
func TestCommit(t *testing.T) {
	for name, end := range map[string]func() error{
		"nil":   func() error { return nil },
		"error": func() error { return errHandler },
		"panic": func() error { panic("after the commit") },
	} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, l := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				time.Sleep(time.Second)
				wantIs(t, dedupe.CompleteWith(ctx, f, f.commit), nil)
				wantIs(t, dedupe.CompleteWith(ctx, f, func(context.Context, dedupe.Op) (dedupe.Verdict, error) {
					t.Error("a second transaction was made")
					return dedupe.Verdict{Outcome: dedupe.Applied}, nil
				}), dedupe.ErrSecondCommit)
				time.Sleep(time.Hour) // with no lease to keep
				return end()
			}}
			for range 2 {
				wantIs(t, once(t.Context(), g, &h, "a"), nil)
			}
			h.wantRuns(t, "a", 1)
			if row := f.wantState(t, "a", dedupe.Completed); row.RetainEnd.Sub(row.Completed) != 14*24*time.Hour {
				t.Errorf("kept until %v after its completion, want the retention", row.RetainEnd.Sub(row.Completed))
			}
			wantTold[consumer.Completed](t, l, 1)
			wantTold[consumer.Released](t, l, 0)
			wantTold[consumer.LeaseLost](t, l, 0)
			if n := f.sent(); n != 2 {
				t.Errorf("%d operations, want two claims", n)
			}
		})
	}
}

// A transaction of which nobody knows whether it was committed is not tried
// again under the same claim. A handler that returns the error is done if it
// was, and runs again if it was not.
func TestCommitUndecided(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, l := newGuard(f)
			transaction := f.unheard
			if !committed {
				transaction = func(context.Context, dedupe.Op) (v dedupe.Verdict, err error) { return v, nil }
			}
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				err := dedupe.CompleteWith(ctx, f, transaction)
				wantUndecided(t, err)
				wantIs(t, dedupe.CompleteWith(ctx, f, f.commit), dedupe.ErrSecondCommit)
				return err
			}}
			err := once(t.Context(), g, &h, "a")
			if committed {
				wantIs(t, err, nil)
				f.wantState(t, "a", dedupe.Completed)
				wantTold[consumer.Completed](t, l, 1)
				return
			}
			wantUndecided(t, err)
			f.wantState(t, "a", dedupe.Failed)
			wantTold[consumer.Completed](t, l, 0)
		})
	}
}

// A transaction that wrote nothing leaves the claim as it was: the handler may
// make another one, or end as it likes.
func TestCommitRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		refuse := func(context.Context, dedupe.Op) (dedupe.Verdict, error) { return dedupe.Verdict{}, errHandler }
		var end func(ctx context.Context) error
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			for range 2 {
				wantIs(t, dedupe.CompleteWith(ctx, f, refuse), errHandler)
			}
			return end(ctx)
		}}
		end = func(context.Context) error { return errHandler }
		wantIs(t, once(t.Context(), g, &h, "a"), errHandler)
		f.wantState(t, "a", dedupe.Failed)
		end = func(ctx context.Context) error { return dedupe.CompleteWith(ctx, f, f.commit) }
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		f.wantState(t, "a", dedupe.Completed)
		end = func(context.Context) error { return nil }
		wantIs(t, once(t.Context(), g, &h, "b"), nil)
		f.wantState(t, "b", dedupe.Completed)
	})
}

// The transaction of a worker that was overtaken is told so. Its record has
// failed, unless the other worker finished it.
func TestCommitAfterTakeover(t *testing.T) {
	for name, finished := range map[string]bool{"in progress elsewhere": false, "finished elsewhere": true} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, l := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				err := dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					twin := dedupe.Op{Kind: dedupe.OpRelease, Key: op.Key, Owner: op.Owner}
					_, _ = f.commit(ctx, twin)
					twin.Kind, twin.Owner[0] = dedupe.OpClaim, twin.Owner[0]+1
					twin.LeaseEnd, twin.RetainEnd = op.RetainEnd, op.RetainEnd
					_, _ = f.commit(ctx, twin)
					if finished {
						twin.Kind = dedupe.OpComplete
						_, _ = f.commit(ctx, twin)
					}
					return f.commit(ctx, op)
				})
				wantIs(t, err, dedupe.ErrLeaseLost)
				return nil
			}}
			want := dedupe.ErrLeaseLost
			if finished {
				want = nil
			}
			wantIs(t, once(t.Context(), g, &h, "a"), want)
			wantTold[consumer.CompletionLost](t, l, 1)
			wantTold[consumer.Completed](t, l, 0)
			if n := f.sent(); n != 1 {
				t.Errorf("%d operations, want the claim alone", n)
			}
		})
	}
}

// Without a claim in the store nothing is written: outside of a handler, under
// no guard, under one with another store, after the handler's end.
func TestCommitWithoutClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		unclaimed := func(ctx context.Context) {
			t.Helper()
			wantIs(t, dedupe.CompleteWith(ctx, f, func(context.Context, dedupe.Op) (dedupe.Verdict, error) {
				t.Error("a transaction was made")
				return dedupe.Verdict{}, nil
			}), dedupe.ErrNoClaim)
		}
		unclaimed(t.Context())
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error { unclaimed(ctx); return nil }}
		wantIs(t, once(t.Context(), nil, &h, "a"), nil)
		other, _ := newGuard(&faults{})
		wantIs(t, once(t.Context(), other, &h, "a"), nil)
		var late context.Context
		h.do = func(ctx context.Context, _ *consumer.Record) error { late = context.WithoutCancel(ctx); return nil }
		wantIs(t, once(t.Context(), g, &h, "b"), nil)
		unclaimed(late)
	})
}

// A transaction that outlives its handler is not told that it counts: what the
// handler returned has.
func TestCommitLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		got := make(chan error, 1)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			go func() {
				got <- dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					time.Sleep(time.Second)
					return f.commit(context.WithoutCancel(ctx), op) // finds its own completed row
				})
			}()
			synctest.Wait()
			wantIs(t, dedupe.CompleteWith(ctx, f, f.commit), dedupe.ErrSecondCommit)
			return nil
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		wantIs(t, <-got, dedupe.ErrNoClaim)
		f.wantState(t, "a", dedupe.Completed)
	})
}

// A handler that was abandoned commits nothing; one that is abandoned after
// its commit has its record done.
func TestCommitAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b")
		late := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			time.Sleep(20 * time.Second)
			return dedupe.CompleteWith(ctx, f, f.commit)
		}}
		early := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			defer time.Sleep(2 * time.Second)
			return dedupe.CompleteWith(ctx, f, f.commit)
		}}
		go d.work(ts[0], &late)
		go d.work(ts[1], &early)
		time.Sleep(time.Second)
		for _, tk := range ts {
			if !tk.Abandon(errDown) {
				t.Error("want a running handler to be abandoned")
			}
		}
		d.Close()
		time.Sleep(time.Minute)
		wantIs(t, d.outcome(t, 0), errDown)
		wantIs(t, d.outcome(t, 1), nil)
		f.wantState(t, "a", dedupe.Failed)
		f.wantState(t, "b", dedupe.Completed)
		wantTold[consumer.Completed](t, l, 1)
		if n := f.count(dedupe.OpExtend); n != 0 {
			t.Errorf("%d extends of handlers that were abandoned, want none", n)
		}
	})
}

// A panic in the transaction is the handler's, and leaves it open whether it
// was committed.
func TestCommitPanics(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			g, _ := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				defer func() {
					v := recover()
					wantIs(t, dedupe.CompleteWith(ctx, f, f.commit), dedupe.ErrSecondCommit)
					time.Sleep(time.Hour)
					wantIs(t, context.Cause(ctx), nil) // the heartbeat goes on
					panic(v)
				}()
				return dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					if committed {
						_, _ = f.commit(ctx, op)
					}
					panic("in the transaction")
				})
			}}
			err := once(t.Context(), g, &h, "a")
			if committed {
				wantIs(t, err, nil)
			} else if _, ok := errors.AsType[*consumer.PanicError](err); !ok {
				t.Errorf("got error %v, want a PanicError", err)
			}
		})
	}
}
