package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

func fifoFailure(t *testing.T, s *scene) {
	for _, n := range []int{1, 10} {
		var recs []*consumer.Record
		var ids []string
		for _, id := range []string{"a1", "b1", "a2", "b2", "a3"} {
			group := fmt.Sprint(id[:1], n)
			ids = append(ids, fmt.Sprint(id, "-", n))
			recs = append(recs, &consumer.Record{ID: ids[len(ids)-1], Group: group, Ordered: true})
		}
		s.do = func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == ids[0] {
				return errScene
			}
			return nil
		}
		errs := s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{Concurrency: n}, recs...)
		for i, want := range []error{errScene, nil, batch.ErrGroupFailed, nil, batch.ErrGroupFailed} {
			if !errors.Is(errs[i], want) {
				t.Errorf("%s: got error %v, want %v", ids[i], errs[i], want)
			}
		}
		s.wantEffects(t, 0, ids[0], ids[2], ids[4])
		var order []string
		s.do = func(_ context.Context, rec *consumer.Record) error { order = append(order, rec.ID); return nil }
		wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{Concurrency: n}, recs...))
		if want := []string{ids[0], ids[2], ids[4]}; !slices.Equal(order, want) {
			t.Errorf("redelivery ran %v, want %v", order, want)
		}
		s.wantEffects(t, 1, ids...)
	}
}

// someDown leaves the operations on some keys undecided, as a store does that
// throttles.
type someDown struct {
	dedupe.Store
	down map[dedupe.Key]bool
}

func (d *someDown) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	var up []dedupe.Op
	for _, op := range ops {
		if !d.down[op.Key] {
			up = append(up, op)
		}
	}
	answers, err := d.Store.Apply(ctx, up)
	if err != nil {
		return nil, err
	}
	vs := make([]dedupe.Verdict, len(ops))
	for i, op := range ops {
		if d.down[op.Key] {
			vs[i].Err = errors.New("throttled")
			continue
		}
		vs[i], answers = answers[0], answers[1:]
	}
	return vs, nil
}

func storeDownForSome(t *testing.T, s *scene) {
	recs := named("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	store := &someDown{Store: &s.store, down: make(map[dedupe.Key]bool)}
	for _, rec := range recs[:3] {
		key, err := dedupe.KeyOf("scene", dedupe.ID, rec)
		if err != nil {
			t.Fatal(err)
		}
		store.down[key] = true
	}
	began := time.Now()
	errs := s.deliver(t.Context(), t, store, dedupe.Options{}, batch.Options{}, recs...)
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
	for i, err := range errs[:3] {
		if _, ok := errors.AsType[*dedupe.StoreError](err); !ok {
			t.Errorf("record %d: got error %v, want a StoreError", i, err)
		}
	}
	wantDone(t, errs[3:])
	s.wantEffects(t, 0, "a", "b", "c")
	wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, recs...))
	s.wantEffects(t, 1, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
}

func retentionTooShort(t *testing.T, s *scene) {
	s.do = func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }
	o := dedupe.Options{Retention: time.Second}
	ended := make(chan []error)
	go func() { ended <- s.deliver(t.Context(), t, &s.store, o, batch.Options{}, named("a")...) }()
	time.Sleep(50 * time.Second)
	errs := s.deliver(t.Context(), t, &s.store, o, batch.Options{}, named("a")...)
	if !errors.Is(errs[0], dedupe.ErrInProgress) {
		t.Errorf("got error %v, want in progress", errs[0])
	}
	wantDone(t, <-ended)
	s.wantEffects(t, 1, "a")
}

// counted counts the calls in flight.
type counted struct {
	dedupe.Store
	mu          sync.Mutex
	calls       int
	flying, top int
}

func (c *counted) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	c.mu.Lock()
	c.calls++
	c.flying++
	c.top = max(c.top, c.flying)
	c.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	defer func() {
		c.mu.Lock()
		c.flying--
		c.mu.Unlock()
	}()
	return c.Store.Apply(ctx, ops)
}

func thousandRecords(t *testing.T, s *scene) {
	var mu sync.Mutex
	running, top := 0, 0
	s.do = func(context.Context, *consumer.Record) error {
		mu.Lock()
		running++
		top = max(top, running)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	}
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	store := &counted{Store: &s.store}
	wantDone(t, s.deliver(t.Context(), t, store, dedupe.Options{}, batch.Options{}, named(ids...)...))
	s.wantEffects(t, 1, ids...)
	if top != 10 {
		t.Errorf("%d handlers at once, want 10", top)
	}
	if store.top > 5 || store.calls > 300 {
		t.Errorf("%d calls, %d at once, want a few of each", store.calls, store.top)
	}
}

func nestedGuards(t *testing.T, s *scene) {
	inner := dedupe.New(&s.store, dedupe.Options{Consumer: "inner"})
	pay := &scene{runs: make(map[string]int)}
	fails := true
	s.do = func(ctx context.Context, rec *consumer.Record) error {
		if err := inner.Middleware()(pay).HandleRecord(ctx, rec); err != nil {
			return err
		}
		if fails {
			return errScene
		}
		return nil
	}
	errs := s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a")...)
	if !errors.Is(errs[0], errScene) {
		t.Errorf("got error %v, want the handler's", errs[0])
	}
	fails = false
	for range 2 {
		wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a")...))
	}
	s.wantEffects(t, 1, "a")
	pay.wantEffects(t, 1, "a")
	if row := s.row(t, dedupe.Options{}, &consumer.Record{ID: "a"}); row.State != dedupe.Completed || s.store.Len() != 2 {
		t.Errorf("outer row is %v of %d, want COMPLETED of 2", row.State, s.store.Len())
	}
}

func handlerChangesRecord(t *testing.T, s *scene) {
	s.do = func(_ context.Context, rec *consumer.Record) error {
		rec.ID = "changed"
		copy(rec.Body, `{"id":"XXX"}`)
		return nil
	}
	o := dedupe.Options{Key: dedupe.Field("/id"), Fingerprint: dedupe.BodyFingerprint}
	for range 2 {
		wantDone(t, s.deliver(t.Context(), t, &s.store, o, batch.Options{}, bodies(`{"id":"abc"}`)...))
	}
	s.wantEffects(t, 1, "m0")
	if n := s.store.Len(); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func parallelFailures(t *testing.T, s *scene) {
	s.do = func(context.Context, *consumer.Record) error { return errScene }
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		for i, err := range s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{Concurrency: 16}, named(ids...)...) {
			if !errors.Is(err, errScene) {
				t.Fatalf("record %d: got error %v, want the handler's", i, err)
			}
		}
	}
}

func parallelBatches(t *testing.T, s *scene) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	p := batch.New(dedupe.New(&s.store, dedupe.Options{Consumer: "scene"}), s, batch.Options{})
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	var wg sync.WaitGroup
	for range 3 {
		for part := range slices.Chunk(ids, 10) {
			wg.Go(func() { wantDone(t, results(t.Context(), t, p, named(part...))) })
		}
	}
	wg.Wait()
	s.wantEffects(t, 1, ids...)
	if s.store.Len() != n {
		t.Errorf("%d rows, want %d", s.store.Len(), n)
	}
	for _, rec := range named(ids...) {
		if row := s.row(t, dedupe.Options{}, rec); row.State != dedupe.Completed || row.Claims != 1 {
			t.Errorf("row of %s is %v after %d claims, want COMPLETED after 1", rec.ID, row.State, row.Claims)
		}
	}
}
