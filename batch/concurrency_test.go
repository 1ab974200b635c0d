package batch_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// No more handlers run at once than Concurrency says, whatever the number of
// calls, and as many while there is work.
func TestConcurrencyIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(newStore(0)), l.handler(takes(10*time.Millisecond)), batch.Options{Concurrency: 4})
		recs := records(100)
		var calls sync.WaitGroup
		for i := range 10 {
			calls.Go(func() { process(t.Context(), t, p, recs[i*10:i*10+10]).done(t) })
		}
		calls.Wait()
		if l.peak != 4 {
			t.Errorf("handlers at once: got %d, want 4", l.peak)
		}
		if took := time.Since(l.began); took > 260*time.Millisecond {
			t.Errorf("100 records of 10 ms, four at once, took %v, want about 250 ms", took)
		}
	})
}

// A single call uses all the slots too.
func TestConcurrencyIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(newStore(0)), l.handler(takes(time.Second)), batch.Options{Concurrency: 25})
		process(t.Context(), t, p, records(100)).done(t)
		if took := time.Since(l.began); l.peak != 25 || took > 4*time.Second+10*time.Millisecond {
			t.Errorf("got %d at once in %v, want 25 in 4 s", l.peak, took)
		}
	})
}

// A small batch gets its turn beside a large one that came before it.
func TestSmallBatchBesideALargeOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const slow = 100 * time.Millisecond
		p := batch.New(guard(newStore(0)), takes(slow), batch.Options{Concurrency: 10})
		recs := records(10_010)
		ctx, cancel := context.WithCancel(t.Context())
		var large sync.WaitGroup
		large.Go(func() { process(ctx, t, p, recs[10:]) })
		time.Sleep(1050 * time.Millisecond)
		out := process(t.Context(), t, p, recs[:10])
		out.done(t)
		for _, rec := range out.order {
			if out.at[rec] > 11*slow {
				t.Errorf("%s was done after %v, want at least one slot in each round of 100 ms", rec.ID, out.at[rec])
			}
		}
		cancel()
		large.Wait()
	})
}

// A call whose own first record is slow goes on to claim its share of the
// slots for the others.
func TestSlowRecordDoesNotKeepTheShareLow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			if string(rec.Body) == "slow" {
				return takes(time.Minute)(ctx, rec)
			}
			return takes(100*time.Millisecond)(ctx, rec)
		})
		p := batch.New(guard(newStore(0)), h, batch.Options{Concurrency: 4})
		recs := records(1020)
		small := recs[1000:]
		small[0].Body = []byte("slow")
		ctx, cancel := context.WithCancel(t.Context())
		var large sync.WaitGroup
		large.Go(func() { process(ctx, t, p, recs[:1000]) })
		time.Sleep(50 * time.Millisecond)
		out := process(t.Context(), t, p, small)
		out.done(t)
		for _, rec := range small[1:] {
			if out.at[rec] > 5*time.Second {
				t.Errorf("%s was done after %v: it waited for the slow one of its batch", rec.ID, out.at[rec])
			}
		}
		cancel()
		large.Wait()
	})
}

// A slot is free when the handler returns: the next handlers do not wait for
// completions to be recorded.
func TestSlotIsFreeBeforeTheCompletion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(0), newLedger()
		s.before = func(ops []dedupe.Op) error {
			if ops[0].Kind == dedupe.OpComplete {
				time.Sleep(time.Second)
			}
			return nil
		}
		p := batch.New(guard(s), l.handler(takes(10*time.Millisecond)), batch.Options{Concurrency: 2})
		process(t.Context(), t, p, records(8)).done(t)
		for id, at := range l.starts {
			if at > 30*time.Millisecond {
				t.Errorf("%s started after %v, want 30 ms: four rounds", id, at)
			}
		}
		if took := time.Since(l.began); took < time.Second {
			t.Errorf("took %v, less than a completion", took)
		}
	})
}

// Handlers that never return cost their own batch, not the later ones: their
// slots are free once they were given up, and are not given back again when
// they return after all.
func TestSlotsOfAbandonedHandlers(t *testing.T) {
	for name, end := range map[string]func(){"return": func() {}, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l, stuck := newLedger(), make(chan struct{})
				p := batch.New(guard(newStore(0)), l.handler(func(context.Context, *consumer.Record) error {
					<-stuck
					end()
					return nil
				}), batch.Options{Concurrency: 3})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				for _, err := range process(ctx, t, p, records(3)).err {
					wantAbandoned(t, err, batch.ErrDeadline)
				}

				var later sync.WaitGroup
				later.Go(func() { process(t.Context(), t, p, records(6)[3:]) })
				synctest.Wait()
				if n := l.running.Load(); n != 6 {
					t.Errorf("%d handlers run, want those that were given up and three more", n)
				}
				close(stuck)
				later.Wait()
				synctest.Wait()
			})
		})
	}
}
