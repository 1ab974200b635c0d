package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A record whose handler fails, panics or ends its goroutine fails alone: its
// neighbours run, its slot is free, and it may run again.
func TestFailureIsOfOneRecord(t *testing.T) {
	spoilt := errors.New("spoilt")
	ends := map[string]struct {
		h     func() error
		check func(err error) bool
	}{
		"error":        {func() error { return spoilt }, func(err error) bool { return errors.Is(err, spoilt) }},
		"panic":        {func() error { panic(spoilt) }, func(err error) bool { return errors.Is(err, spoilt) && isPanic(err) }},
		"panic of nil": {func() error { panic(nil) }, isPanic}, //nolint:govet // it is what is tested
		"Goexit":       {func() error { runtime.Goexit(); return nil }, func(err error) bool { return errors.Is(err, consumer.ErrGoexit) }},
	}
	for _, guarded := range []bool{true, false} {
		for name, end := range ends {
			t.Run(fmt.Sprintf("%s, guarded=%v", name, guarded), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, bad := newStore(roundTrip), true
					var g *dedupe.Guard
					if guarded {
						g = guard(s)
					}
					p := batch.New(g, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
						time.Sleep(time.Millisecond)
						if bad && rec.ID < "r00004" {
							return end.h()
						}
						return nil
					}), batch.Options{Concurrency: 2})
					recs := records(10)
					out := process(t.Context(), t, p, recs)
					for i, rec := range recs {
						if err := out.err[rec]; i < 4 && !end.check(err) || i >= 4 && err != nil {
							t.Errorf("%s: got %v", rec.ID, err)
						}
						if got := s.state(rec.ID); i < 4 && guarded && got != dedupe.Failed {
							t.Errorf("%s: its row is %v, want FAILED", rec.ID, got)
						}
					}
					bad = false
					process(t.Context(), t, p, recs).done(t)
				})
			})
		}
	}
}

func isPanic(err error) bool {
	e, ok := errors.AsType[*consumer.PanicError](err)
	return ok && e.Value != nil && len(e.Stack) > 0
}

// A store that does not answer for some records fails those and no others.
func TestStoreDownForSome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, down := newLedger(), 3
		s := storeFunc(func(ctx context.Context, next dedupe.Store, ops []dedupe.Op) ([]dedupe.Verdict, error) {
			vs, err := next.Apply(ctx, ops)
			for i := range min(down, len(vs)) {
				if ops[i].Kind == dedupe.OpClaim {
					vs[i] = dedupe.Verdict{Err: errDown}
				}
			}
			return vs, err
		})
		recs := records(10)
		out := process(t.Context(), t, batch.New(guard(s(newStore(0))), l.handler(takes(time.Millisecond)), batch.Options{}), recs)
		for i, rec := range recs {
			if err := out.err[rec]; i < down && !errors.Is(err, errDown) || i >= down && err != nil {
				t.Errorf("%s: got %v", rec.ID, err)
			}
		}
		if len(l.order) != 7 {
			t.Errorf("%d handlers ran, want 7", len(l.order))
		}
	})
}

// storeFunc returns what puts f before a store.
func storeFunc(f func(context.Context, dedupe.Store, []dedupe.Op) ([]dedupe.Verdict, error)) func(dedupe.Store) dedupe.Store {
	return func(next dedupe.Store) dedupe.Store { return wrapped{next, f} }
}

type wrapped struct {
	next dedupe.Store
	f    func(context.Context, dedupe.Store, []dedupe.Op) ([]dedupe.Verdict, error)
}

func (w wrapped) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	return w.f(ctx, w.next, ops)
}

// A record without a key, and one that its decoder refuses, fail alone; the
// decoder sees each record once, before its key is made.
func TestUnreadableRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, seen := newLedger(), 0
		decode := func(rec *consumer.Record) error {
			seen++
			switch rec.Type {
			case "refuse":
				return errHandler
			case "panic":
				panic("decoder")
			}
			rec.ID = "inner-" + rec.ID
			return nil
		}
		recs := records(10)
		recs[2].Type, recs[4].Type = "refuse", "panic"
		noKey := dedupe.New(newStore(0), dedupe.Options{Consumer: "test", Key: func(w *dedupe.KeyWriter, rec *consumer.Record) error {
			if rec == recs[6] {
				return dedupe.ErrNoKey
			}
			return dedupe.ID(w, rec)
		}})
		p := batch.New(noKey, l.handler(takes(0)), batch.Options{Decode: decode})
		out := process(t.Context(), t, p, recs)
		if err := out.err[recs[2]]; !errors.Is(err, errHandler) {
			t.Errorf("refused: got %v", err)
		}
		if err := out.err[recs[4]]; err == nil || !isPanic(err) {
			t.Errorf("decoder panicked: got %v", err)
		}
		if err := out.err[recs[6]]; !errors.Is(err, dedupe.ErrNoKey) {
			t.Errorf("no key: got %v", err)
		}
		if len(l.order) != 7 || seen != 10 || l.ran("inner-r00000") != 1 {
			t.Errorf("decoded %d, handlers ran for %v", seen, l.order)
		}
	})
}

// Without a guard everything runs, order and limits hold, and deadlines do.
func TestWithoutAGuard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(nil, l.handler(takes(time.Second)), batch.Options{Concurrency: 2})
		recs := records(4)
		for _, rec := range recs {
			rec.ID = "same"
		}
		process(t.Context(), t, p, recs).done(t)
		if l.ran("same") != 4 || l.peak != 2 {
			t.Errorf("%d runs, %d at once, want 4 and 2", l.ran("same"), l.peak)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 1700*time.Millisecond)
		defer cancel()
		recs = fifo("a1", "a2", "a3", "b1")
		out := process(ctx, t, p, recs)
		if out.err[recs[0]] != nil || out.err[recs[3]] != nil {
			t.Errorf("got %v, want that the first of each group is done", out.err)
		}
		wantAbandoned(t, out.err[recs[1]], batch.ErrDeadline)
		wantNotStarted(t, out.err[recs[2]], batch.ErrDeadline)
		time.Sleep(time.Minute)
	})
}
