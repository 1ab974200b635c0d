package batch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

type typedError struct{ code string }

func (e *typedError) Error() string { return e.code }

// A nil pointer in a handler's error fails that record and takes nobody down.
func TestTypedNilError(t *testing.T) {
	p := batch.New(guard(memdedupe.New()), consumer.HandlerFunc(func(_ context.Context, r *consumer.Record) error {
		if r.ID == "r00001" {
			var e *typedError
			return e
		}
		return nil
	}), batch.Options{})
	recs := records(3)
	if out := process(t.Context(), t, p, recs); out.err[recs[1]] == nil {
		t.Error("acknowledged")
	}
}

// A panic of an observer changes no outcome.
func TestObserverPanics(t *testing.T) {
	g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test", Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
		if _, ok := e.(consumer.Completed); ok {
			panic("observer bug")
		}
	})})
	p := batch.New(g, takes(0), batch.Options{})
	process(t.Context(), t, p, records(3))
}

// Twins that were given up with their lanes do not count as waiting when their
// leader was not started: the rest of the batch goes on.
func TestSkippedTwinsDoNotHoldUpOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test", Key: func(w *dedupe.KeyWriter, r *consumer.Record) error {
			w.String(r.Attributes["k"])
			return nil
		}})
		var recs []*consumer.Record
		add := func(id, group, key string) {
			recs = append(recs, &consumer.Record{ID: id, Group: group, Ordered: true, Attributes: map[string]string{"k": key}})
		}
		add("a0", "A", "a0")
		add("L", "A", "K")
		for i := range 300 {
			add(fmt.Sprint("b", i), fmt.Sprint("B", i), fmt.Sprint("b", i))
			add(fmt.Sprint("f", i), fmt.Sprint("B", i), "K")
		}
		for i := range 500 {
			add(fmt.Sprint("z", i), fmt.Sprint("Z", i), fmt.Sprint("z", i))
		}
		p := batch.New(g, consumer.HandlerFunc(func(ctx context.Context, r *consumer.Record) error {
			switch {
			case r.ID == "a0":
				time.Sleep(time.Minute)
				return errors.New("late")
			case r.ID[0] == 'b':
				return errors.New("quick")
			case r.ID[0] == 'z':
				time.Sleep(30 * time.Second)
			}
			return nil
		}), batch.Options{})
		process(t.Context(), t, p, recs)
	})
}

// hangingStore hangs from a moment on, until the call's context ends.
type hangingStore struct {
	memdedupe.Store
	hung atomic.Bool
}

func (s *hangingStore) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	if s.hung.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Apply(ctx, ops)
}

// An invocation answers before its deadline while the store hangs in calls of
// others.
func TestAnswerInTimeBesideHungCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &hangingStore{}
		g := guard(s)
		p := batch.New(g, obeys(14*time.Second), batch.Options{Concurrency: 10})
		q := batch.New(g, obeys(10500*time.Millisecond), batch.Options{Concurrency: 10})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for range p.Process(ctx, []*consumer.Record{{ID: fmt.Sprint("o", i)}}) {
				}
			})
			time.Sleep(60 * time.Millisecond)
		}
		time.AfterFunc(9500*time.Millisecond, func() { s.hung.Store(true) })
		began := time.Now()
		deadline := began.Add(12 * time.Second)
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		defer cancel()
		for rec, err := range q.Process(ctx, []*consumer.Record{{ID: "mine"}}) {
			t.Logf("%s: %v after %v", rec.ID, err, time.Since(began))
		}
		if late := time.Since(deadline); late > 0 {
			t.Errorf("answered %v after the deadline", late)
		}
		wg.Wait()
	})
}
