package batch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Equal keys that cross between lanes do not wait for each other in a circle.
func TestTwinsAcrossLanes(t *testing.T) {
	type rec struct{ group, id string }
	orders := [][]rec{
		{{"a", "k1"}, {"a", "k2"}, {"b", "k2"}, {"b", "k1"}},
		{{"a", "k1"}, {"b", "k2"}, {"a", "k2"}, {"b", "k1"}},
		{{"b", "k2"}, {"a", "k1"}, {"b", "k1"}, {"a", "k2"}},
	}
	for i, order := range orders {
		for _, n := range []int{1, 2, 10} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("order %d, concurrency %d, late=%v", i, n, late), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						l := newLedger()
						g := dedupe.New(newStore(roundTrip), dedupe.Options{Consumer: "test", AtMostOnce: late})
						p := batch.New(g, l.handler(takes(time.Millisecond)), batch.Options{Concurrency: n})
						var recs []*consumer.Record
						for _, r := range order {
							recs = append(recs, &consumer.Record{ID: r.id, Group: r.group, Ordered: true})
						}
						process(t.Context(), t, p, recs).done(t)
						if l.runs["k1"] != 1 || l.runs["k2"] != 1 {
							t.Errorf("runs: %v, want one of each", l.runs)
						}
					})
				})
			}
		}
	}
}

// A record that gets a try of its own, because its twin was not started, does
// not wait for a later twin that waits for it in turn.
func TestTwinsGetATryOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(0), newLedger()
		p := batch.New(guard(s), l.handler(func(ctx context.Context, rec *consumer.Record) error {
			if rec.ID == "x1" {
				time.Sleep(time.Second)
				return errHandler
			}
			return takes(100*time.Second)(ctx, rec)
		}), batch.Options{Concurrency: 2})
		recs := fifo("x1", "x2", "y1", "y2", "s1", "t1", "u1", "v1", "w1", "q1", "z1", "z2")
		for i, key := range map[int]string{1: "K", 2: "K", 11: "K", 3: "M", 10: "M"} {
			recs[i].ID = key
		}
		out := process(t.Context(), t, p, recs)
		wantNotStarted(t, out.err[recs[1]], batch.ErrGroupFailed)
		for _, rec := range recs[4:10] {
			if err := out.err[rec]; err != nil {
				t.Errorf("%s: %v", rec.ID, err)
			}
		}
		if n := s.states()[dedupe.Processing]; n != 0 {
			t.Errorf("%d rows are still PROCESSING", n)
		}
		if l.ran("K") > 1 || l.ran("M") > 1 {
			t.Errorf("runs: %v", l.runs)
		}
	})
}

// A FIFO record whose twin runs in another batch is told to come back; one of
// a standard queue waits and is done with it.
func TestTwinInAnotherBatch(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			l := newLedger()
			p := batch.New(guard(newStore(0)), l.handler(takes(10*time.Second)), batch.Options{})
			one, two := fifo("a1"), fifo("a1", "a2", "b1")
			for _, rec := range append(one, two...) {
				rec.Ordered = ordered
			}
			var first sync.WaitGroup
			first.Go(func() { process(t.Context(), t, p, one).done(t) })
			time.Sleep(time.Second)
			out := process(t.Context(), t, p, two)
			first.Wait()
			if l.ran("a1") != 1 || l.ran("b1") != 1 {
				t.Errorf("runs: %v, want one of each", l.runs)
			}
			if !ordered {
				out.done(t)
				return
			}
			retry, ok := errors.AsType[*consumer.RetryError](out.err[two[0]])
			if !ok || !errors.Is(retry, dedupe.ErrInProgress) || retry.After <= 0 {
				t.Errorf("a1: got %v, want a RetryError with the lease that is left", out.err[two[0]])
			}
			if at := out.at[two[0]]; at > time.Millisecond {
				t.Errorf("a1: told after %v, want at once", at)
			}
			wantNotStarted(t, out.err[two[1]], batch.ErrGroupFailed)
			if err := out.err[two[2]]; err != nil {
				t.Errorf("b1: %v", err)
			}
		})
	}
}

// However many records have one key, its handler runs once and all are done.
func TestManyRecordsFewKeys(t *testing.T) {
	for _, keys := range []int{1, 3, 50} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, l := newStore(roundTrip), newLedger()
				recs := records(10_000)
				for i, rec := range recs {
					rec.ID = fmt.Sprintf("k%02d", i%keys)
				}
				process(t.Context(), t, batch.New(guard(s), l.handler(takes(time.Second)), batch.Options{}), recs).done(t)
				if len(l.runs) != keys || len(l.order) != keys {
					t.Errorf("%d runs of %d keys, want %d", len(l.order), len(l.runs), keys)
				}
			})
		})
	}
}

// Twins that wait take no slot and do not hold up what stands behind them.
func TestTwinsDoNotHoldUpOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		recs := records(200)
		for _, rec := range recs[:100] {
			rec.ID = "slow"
		}
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			if rec.ID == "slow" {
				return takes(time.Minute)(ctx, rec)
			}
			return takes(time.Second)(ctx, rec)
		}), batch.Options{Concurrency: 10})
		out := process(t.Context(), t, p, recs)
		out.done(t)
		for _, rec := range recs[100:] {
			if out.at[rec] > 15*time.Second {
				t.Errorf("%s was done after %v, want 12 s: it waited for others' twins", rec.ID, out.at[rec])
			}
		}
	})
}

// When a record's run fails its twins fail with it: one delivery is one try.
func TestTwinsOfAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		recs := records(5)
		for _, rec := range recs {
			rec.ID = "k1"
		}
		p := batch.New(guard(newStore(0)), l.handler(func(context.Context, *consumer.Record) error {
			time.Sleep(time.Second)
			return errHandler
		}), batch.Options{})
		for rec, err := range process(t.Context(), t, p, recs).err {
			if !errors.Is(err, errHandler) {
				t.Errorf("%s: got %v, want %v", rec.ID, err, errHandler)
			}
		}
		if l.ran("k1") != 1 {
			t.Errorf("%d runs, want 1", l.ran("k1"))
		}
	})
}
