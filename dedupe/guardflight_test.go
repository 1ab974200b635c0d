package dedupe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Equal keys in one process run once: the followers are done when, and only
// when, the completion of the one that ran is recorded.
func TestFollowers(t *testing.T) {
	bubble(t, "in one group", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpComplete, takes(time.Second))}
		g, l := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "b", "a", "a")
		if f.sent() != 1 || f.count(dedupe.OpClaim) != 2 {
			t.Errorf("%d claims in %d calls, want 2 in 1", f.count(dedupe.OpClaim), f.sent())
		}
		if !ts[0].Ready() || !ts[1].Ready() || ts[2].Ready() || ts[3].Ready() {
			t.Error("want the first of each key to be ready, and no other")
		}
		var h tally
		go d.work(ts[0], &h)
		time.Sleep(500 * time.Millisecond) // the handler is through, its completion is not
		for _, n := range []int{0, 2, 3} {
			if !d.open(n) {
				t.Errorf("ticket %d was told %v before the completion was recorded", n, d.outcome(t, n))
			}
		}
		time.Sleep(time.Second)
		for _, n := range []int{0, 2, 3} {
			wantIs(t, d.outcome(t, n), nil)
		}
		ts[1].Skip(errDown)
		d.Close()
		h.wantRuns(t, "a", 1)
		if e := told[consumer.Duplicate](l); len(e) != 2 || !e[0].InProcess {
			t.Errorf("told %+v, want two duplicates in the batch", e)
		}
	})

	bubble(t, "across sessions", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }}
		outcomes := make(chan error, 5)
		for range 5 {
			go func() { outcomes <- once(t.Context(), g, &h, "a") }()
		}
		for range 5 {
			wantIs(t, <-outcomes, nil)
		}
		h.wantRuns(t, "a", 1)
		if n := f.count(dedupe.OpClaim); n != 1 {
			t.Errorf("%d claims, want 1", n)
		}
	})

	bubble(t, "the handler fails", func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		h := tally{do: func(context.Context, *consumer.Record) error { return errHandler }}
		d.work(ts[0], &h)
		d.Close()
		for n := range ts {
			wantIs(t, d.outcome(t, n), errHandler)
		}
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "the completion is never written", func(t *testing.T) {
		g, _ := newGuard(&faults{before: on(dedupe.OpComplete, fail)})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		var h tally
		d.work(ts[0], &h)
		d.Close()
		for n := range ts {
			wantIs(t, d.outcome(t, n), errDown)
		}
		h.wantRuns(t, "a", 1)
	})
}

// A follower whose twin was not started gets a try of its own: the twin's
// batch ended or the store did not answer it, which says nothing of the work.
func TestFollowersOwnTry(t *testing.T) {
	bubble(t, "the twin was skipped", func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a", "a")
		ts[0].Skip(errDown)
		time.Sleep(time.Second)
		again := d.retries()
		if len(again) != 2 {
			t.Fatalf("%d tickets may try again, want 2", len(again))
		}
		var h tally
		for _, tk := range again {
			d.Readmit(tk) // the first leads, the other follows it
		}
		if !again[0].Ready() || again[1].Ready() {
			t.Error("want the first of two to be ready")
		}
		d.work(again[0], &h)
		d.Close()
		wantIs(t, d.outcome(t, 0), errDown)
		wantIs(t, d.outcome(t, again[0].Number()), nil)
		wantIs(t, d.outcome(t, again[1].Number()), nil)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "the twin's caller went away", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, times(1, hang))}
		g, _ := newGuard(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var h tally
		first := make(chan error, 1)
		go func() { first <- once(ctx, g, &h, "a") }()
		synctest.Wait()
		wantIs(t, once(t.Context(), g, &h, "a"), nil)
		wantIs(t, <-first, context.DeadlineExceeded)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "the twin's claim was refused", func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, times(3, fail))}
		g, _ := newGuard(f)
		var h tally
		outcomes := make(chan error, 3)
		for range 3 {
			go func() { outcomes <- once(t.Context(), g, &h, "a") }()
		}
		failed := 0
		for range 3 {
			if err := <-outcomes; err != nil {
				wantIs(t, err, errDown)
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d records failed, want the one whose claim was refused", failed)
		}
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "not one that was skipped", func(t *testing.T) {
		g, l := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a", "b", "b")
		var h tally
		for _, n := range []int{1, 3} {
			if !ts[n].Skip(errHandler) {
				t.Error("a follower was not skipped")
			}
		}
		d.work(ts[0], &h)
		ts[2].Skip(errDown)
		time.Sleep(time.Second)
		for _, tk := range d.retries() {
			d.Readmit(tk)
		}
		d.Close()
		for n, want := range []error{nil, errHandler, errDown, errHandler} {
			wantIs(t, d.outcome(t, n), want)
		}
		h.wantRuns(t, "b", 0)
		wantTold[consumer.Duplicate](t, l, 0) // of a record that has another outcome
	})
}

// A record in progress elsewhere, or parked, is so for its followers too.
func TestFollowersOfBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{before: on(dedupe.OpClaim, takes(time.Second))}
		if err := takeOver(f, "a"); err != nil {
			t.Fatal(err)
		}
		g, _ := newGuard(f)
		d := openDesk(t.Context(), g, time.Time{})
		d.admit("a", "a")
		d.Close()
		for n := range 2 {
			wantIs(t, d.outcome(t, n), dedupe.ErrInProgress)
		}
		if again := d.retries(); len(again) != 0 {
			t.Errorf("%d followers may try again, want none", len(again))
		}
	})
}

// A follower of another payload is told so, whatever became of its twin.
func TestFollowersFingerprint(t *testing.T) {
	for name, result := range map[string]error{"done": nil, "failed": errHandler} {
		bubble(t, name, func(t *testing.T) {
			g, _ := newGuard(&faults{}, fingerprinted)
			d := openDesk(t.Context(), g, time.Time{})
			ts := d.Admit([]*consumer.Record{
				{ID: "a", Body: []byte("1")}, {ID: "a", Body: []byte("2")}, {ID: "a", Body: []byte("1")},
			}, 0)
			h := tally{do: func(context.Context, *consumer.Record) error { return result }}
			d.work(&ts[0], &h)
			d.Close()
			wantIs(t, d.outcome(t, 0), result)
			if _, ok := errors.AsType[*dedupe.MismatchError](d.outcome(t, 1)); !ok {
				t.Errorf("got error %v, want a MismatchError", d.outcome(t, 1))
			}
			wantIs(t, d.outcome(t, 2), result)
			h.wantRuns(t, "a", 1)
		})
	}
}

// In a session that does not want to follow, a record whose twin runs here is
// refused at once, as in progress or for its other payload; the session's own
// key and fingerprint stand in for those of the guard.
func TestNoFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := newGuard(&faults{}, func(o *dedupe.Options) { o.Key = dedupe.Attribute("none"); o.Fingerprint = nil })
		outcomes := map[int]error{}
		s := g.Session(t.Context(), dedupe.SessionOptions{
			Settled: func(tk *dedupe.Ticket, err error) { outcomes[tk.Number()] = err },
			Again:   func(*dedupe.Ticket) { t.Error("told to try again") },
			Key:     dedupe.ID, Fingerprint: dedupe.BodyFingerprint, NoFollow: true,
		})
		first := &s.Admit([]*consumer.Record{{ID: "a", Body: []byte("1")}}, 0)[0]
		time.Sleep(time.Second)
		s.Admit([]*consumer.Record{{ID: "a", Body: []byte("1")}, {ID: "a", Body: []byte("2")}}, 1)
		if e, ok := errors.AsType[*consumer.RetryError](outcomes[1]); !ok || !errors.Is(e, dedupe.ErrInProgress) || e.After != 30*time.Second {
			t.Errorf("got error %v, want to come back when the lease has ended, in 30s", outcomes[1])
		}
		if _, ok := errors.AsType[*dedupe.MismatchError](outcomes[2]); !ok {
			t.Errorf("got error %v, want a MismatchError", outcomes[2])
		}
		first.Settle(first.Handle(&tally{}))
		s.Admit([]*consumer.Record{{ID: "a", Body: []byte("1")}, {ID: "a", Body: []byte("2")}}, 3)
		s.Close()
		wantIs(t, outcomes[0], nil)
		wantIs(t, outcomes[3], nil)
		if _, ok := errors.AsType[*dedupe.MismatchError](outcomes[4]); !ok {
			t.Errorf("got error %v, want a MismatchError", outcomes[4])
		}
		wantTold[consumer.InProgress](t, l, 1)
		wantTold[consumer.Rejected](t, l, 2)
	})
}

func fingerprinted(o *dedupe.Options) { o.Fingerprint = dedupe.BodyFingerprint }

// A record of a FIFO queue does not wait for one of another batch: it comes
// back, so that no two batches can wait for each other.
func TestFollowersOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		one, two := openDesk(t.Context(), g, time.Time{}), openDesk(t.Context(), g, time.Time{})
		ordered := func(id, group string) *consumer.Record {
			return &consumer.Record{ID: id, Group: group, Ordered: true}
		}
		first := one.Admit([]*consumer.Record{ordered("a", "1"), ordered("a", "2")}, 0)
		two.Admit([]*consumer.Record{ordered("a", "3"), ordered("b", "3")}, 0)
		err := two.outcome(t, 0)
		wantIs(t, err, dedupe.ErrInProgress)
		if e, ok := errors.AsType[*consumer.RetryError](err); !ok || e.After <= 0 || e.After > 31*time.Second {
			t.Errorf("got error %v, want to come back within the lease", err)
		}
		if !one.open(1) {
			t.Error("a twin in the same batch did not wait")
		}
		var h tally
		one.work(&first[0], &h)
		one.Close()
		wantIs(t, one.outcome(t, 1), nil)
		two.Close()
		if n := f.count(dedupe.OpClaim); n != 2 {
			t.Errorf("%d claims, want 2: of a and b", n)
		}
	})
}

// A follower whose own context ends waits no longer.
func TestFollowersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := newGuard(&faults{})
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }}
		first := make(chan error, 1)
		go func() { first <- once(t.Context(), g, &h, "a") }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		wantIs(t, once(ctx, g, &h, "a"), context.DeadlineExceeded)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v, want 1 s", took)
		}
		wantIs(t, <-first, nil)
		h.wantRuns(t, "a", 1)
		wantTold[consumer.Duplicate](t, l, 0)
	})
}

// A handler that is called within the handler of its own record cannot wait
// for it: the inner one fails, and nothing hangs.
func TestFollowersInside(t *testing.T) {
	for _, between := range []bool{false, true} {
		bubble(t, fmt.Sprintf("another guard between %v", between), func(t *testing.T) {
			f := &faults{}
			g, _ := newGuard(f)
			mws := []consumer.Middleware{g.Middleware()}
			if between {
				other, _ := newGuard(f, func(o *dedupe.Options) { o.Consumer = "other" })
				mws = append(mws, other.Middleware())
			}
			var h tally
			chain := consumer.Chain(&h, append(mws, g.Middleware())...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			wantIs(t, chain.HandleRecord(ctx, record("a")), dedupe.ErrInProgress)
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %v", took)
			}
			h.wantRuns(t, "a", 0)
		})
	}
}

// Many sessions with the same few keys, skips and failures end without a
// record that waits for ever or has two outcomes.
func TestFollowersStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{before: func(ctx context.Context, ops []dedupe.Op) error {
			if ops[0].Owner[3]%8 == 0 {
				return errDown
			}
			return takes(time.Duration(ops[0].Owner[2]) * time.Millisecond / 16)(ctx)
		}}
		g, _ := newGuard(f)
		h := tally{do: func(_ context.Context, rec *consumer.Record) error {
			time.Sleep(time.Duration(len(rec.ID)) * time.Millisecond)
			return nil
		}}
		outcomes := make(chan error, 400)
		for i := range 400 {
			go func() {
				time.Sleep(time.Duration(i%40) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*20*time.Millisecond)
				defer cancel()
				outcomes <- once(ctx, g, &h, fmt.Sprint("key", i%9))
			}()
		}
		for range 400 {
			<-outcomes
		}
	})
}
