package dedupe_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// A session that is closed with a ticket that nobody settled lets its key go in
// this process; its claim lapses.
func TestCloseLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		d.admit("a")
		d.Close()
		time.Sleep(24 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := once(ctx, g, &tally{}, "a"); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

// A follower that was skipped has its outcome: it is not told to try again.
func TestSkippedFollowerIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		if !ts[1].Skip(errDown) {
			t.Fatal("not following")
		}
		wantIs(t, d.outcome(t, 1), errDown)
		ts[0].Skip(errDown)
		synctest.Wait()
		time.Sleep(time.Second)
		if n := len(d.retries()); n != 0 {
			t.Errorf("told Again %d times after Settled", n)
		}
		d.Close()
	})
}

// When a follower is skipped and admitted again at once, one of the two counts:
// no key stays behind, and nothing that was told is run.
func TestSkipAgainstReadmit(t *testing.T) {
	for _, procs := range []int{2, 4, 8} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			bad, stuck, leaked := 0, 0, 0
			for range 200 {
				g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: worker})
				d := openDesk(context.Background(), g, time.Time{})
				ts := d.admit("a", "a")
				ts[0].Skip(errDown)
				for len(d.retries()) == 0 {
					runtime.Gosched()
				}
				var wg sync.WaitGroup
				wg.Go(func() { ts[1].Skip(errDown) })
				wg.Go(func() { d.Readmit(ts[1]) })
				wg.Wait()
				if ts[1].Ready() {
					if !d.open(1) {
						bad++
					}
					d.work(ts[1], &tally{})
				}
				d.Close()
				d2 := openDesk(context.Background(), g, time.Time{})
				if x := d2.admit("a"); !x[0].Ready() && d2.open(0) {
					stuck++
				} else if !x[0].Ready() && errors.Is(d2.outcome(t, 0), dedupe.ErrInProgress) {
					leaked++
				} else {
					x[0].Skip(errDown)
				}
				d2.Close()
			}
			if bad+stuck+leaked > 0 {
				t.Errorf("procs %d: %d told and then ready, %d keys stuck, %d claims left behind", procs, bad, stuck, leaked)
			}
		}()
	}
}

// A settlement does not wait past its limit for calls of others that hang.
func TestLimitBesideHungCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		hung := false
		var mu sync.Mutex
		f.before = func(ctx context.Context, ops []dedupe.Op) error {
			mu.Lock()
			h := hung
			mu.Unlock()
			if h {
				return hang(ctx)
			}
			return nil
		}
		g, _ := newGuard(f)
		gate := make(chan struct{})
		var wg sync.WaitGroup
		start := time.Now()
		for i, id := range []string{"a", "b", "c", "d", "e"} {
			wg.Go(func() {
				_ = once(t.Context(), g, consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
					<-gate
					time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					return nil
				}), id)
			})
		}
		time.Sleep(time.Second)
		limit := time.Now().Add(1500 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 1300*time.Millisecond)
		defer cancel()
		d := openDesk(ctx, g, limit)
		tk := d.admit("mine")[0]
		mu.Lock()
		hung = true
		mu.Unlock()
		close(gate)
		time.Sleep(time.Second)
		d.work(tk, &tally{})
		d.Close()
		if late := time.Since(limit); late > 100*time.Millisecond {
			t.Errorf("settled %v after its limit (%v)", late, time.Since(start))
		}
		wg.Wait()
	})
}

// Skipping without a reason acknowledges nothing.
func TestSkipNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(&faults{})
		d := openDesk(t.Context(), g, time.Time{})
		ts := d.admit("a", "a")
		ts[1].Skip(nil)
		if err := d.outcome(t, 1); err == nil {
			t.Error("Skip(nil) acknowledged a record that nobody handled")
		}
		ts[0].Skip(errDown)
		d.Close()
	})
}
