package dedupe_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// extends returns how often the lease of each record was extended.
func (f *faults) extends() map[dedupe.Key]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[dedupe.Key]int{}
	for _, op := range slices.Concat(f.calls...) {
		if op.Kind == dedupe.OpExtend {
			n[op.Key]++
		}
	}
	return n
}

// During a transaction nothing extends its row, and all others are kept
// alive. Afterwards, if it was not committed, its own is again.
func TestCommitPausesHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b")
		during := 0
		slow := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			time.Sleep(5 * time.Second) // a third of the way to the first heartbeat
			began := time.Now()
			err := dedupe.CompleteWith(ctx, f, func(ctx context.Context, _ dedupe.Op) (dedupe.Verdict, error) {
				before := f.extends()[workKey("a")]
				<-ctx.Done()
				during = f.extends()[workKey("a")] - before
				return dedupe.Verdict{Err: context.Cause(ctx)}, nil
			})
			if took := time.Since(began); took != 25*time.Second {
				t.Errorf("the transaction had %v, want all of the lease", took)
			}
			wantUndecided(t, err)
			wantIs(t, err, context.DeadlineExceeded)
			time.Sleep(time.Hour)
			wantIs(t, context.Cause(ctx), nil)
			if row := f.row(t, workKey("a")); row.LeaseEnd.Time().Before(time.Now()) {
				t.Errorf("lease ended at %v, want it kept alive after the transaction", row.LeaseEnd.Time())
			}
			return errHandler
		}}
		other := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			time.Sleep(time.Hour)
			wantIs(t, context.Cause(ctx), nil)
			return nil
		}}
		go d.work(ts[0], &slow)
		go d.work(ts[1], &other)
		time.Sleep(30*time.Second - 1)
		if n := f.extends(); n[workKey("a")] != 0 || n[workKey("b")] != 2 {
			t.Errorf("%d extends of the row in a transaction and %d of the other, want 0 and 2", n[workKey("a")], n[workKey("b")])
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if during != 0 {
			t.Errorf("%d extends during the transaction, want none", during)
		}
		d.Close()
		wantIs(t, d.outcome(t, 0), errHandler)
		wantIs(t, d.outcome(t, 1), nil)
		wantTold[consumer.LeaseLost](t, l, 0)
	})
}

// A transaction waits for an extend of its row that is under way.
func TestCommitWaitsForHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		var extending atomic.Bool
		f.before = on(dedupe.OpExtend, func(context.Context) error {
			extending.Store(true)
			time.Sleep(2 * time.Second)
			extending.Store(false)
			return nil
		})
		g, _ := newGuard(f)
		h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
			time.Sleep(11 * time.Second)
			if !extending.Load() {
				t.Error("no extend is under way")
			}
			gone, cancel := context.WithCancel(ctx)
			cancel()
			wantIs(t, dedupe.CompleteWith(gone, f, f.commit), context.Canceled)
			return dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
				if extending.Load() {
					t.Error("an extend of the row is under way")
				}
				return f.commit(ctx, op)
			})
		}}
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		f.wantState(t, "a", dedupe.Completed)
	})
}

// A transaction with little of its lease left extends it first, and is not
// begun when that does not help.
func TestCommitExtendsFirst(t *testing.T) {
	for name, back := range map[string]bool{"store comes back": true, "store stays down": false} {
		bubble(t, name, func(t *testing.T) {
			f := &faults{}
			var down atomic.Bool
			down.Store(true)
			f.before = on(dedupe.OpExtend, func(context.Context) error {
				if down.Load() {
					return errDown
				}
				return nil
			})
			g, _ := newGuard(f)
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				time.Sleep(29*time.Second + 500*time.Millisecond)
				down.Store(!back)
				return dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					end, _ := ctx.Deadline()
					want := 500 * time.Millisecond // nothing is lost yet
					if back {
						want = 30 * time.Second
					}
					if left := time.Until(end); left != want {
						t.Errorf("%v left for the transaction, want %v", left, want)
					}
					return f.commit(ctx, op)
				})
			}}
			wantIs(t, once(t.Context(), g, &h, "a"), nil)
		})
	}
	for name, c := range map[string]struct {
		after  time.Duration
		extend func(context.Context) error // from then on
	}{
		"lease lost before": {time.Minute, fail},
		"store hangs":       {24 * time.Second, hang},
		"taken over":        {24 * time.Second, func(context.Context) error { return nil }},
	} {
		bubble(t, name, func(t *testing.T) {
			began := time.Now()
			f := &faults{before: on(dedupe.OpExtend, func(ctx context.Context) error {
				if time.Since(began) < c.after {
					return errDown
				}
				return c.extend(ctx)
			})}
			g, _ := newGuard(f, func(o *dedupe.Options) { o.StoreTimeout = time.Minute })
			h := tally{do: func(ctx context.Context, _ *consumer.Record) error {
				time.Sleep(c.after)
				if name == "taken over" {
					row := f.row(t, workKey("a"))
					_, _ = f.commit(ctx, dedupe.Op{Kind: dedupe.OpRelease, Key: workKey("a"), Owner: row.Owner})
				}
				return dedupe.CompleteWith(context.WithoutCancel(ctx), f, func(context.Context, dedupe.Op) (v dedupe.Verdict, err error) {
					t.Error("a transaction was made")
					return v, nil
				})
			}}
			wantIs(t, once(t.Context(), g, &h, "a"), dedupe.ErrLeaseLost)
		})
	}
}
