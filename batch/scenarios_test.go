package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// What measured peers get wrong, each with the message that is late, lost or
// doubled: no record is lost, none runs twice, none is blocked.
func TestScenarios(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(t *testing.T, s *scene)
	}{
		{"01 response of the claim lost", claimAnswerLost},
		{"02 completes after another took over and completed", completesLate},
		{"03 fails after another completed", failsLate},
		{"04 completion write fails after a good handler", completionFails},
		{"05 one key twice in a batch", keyTwice},
		{"06 stops before its deadline", stopsBeforeDeadline},
		{"07 key missing or null", keyMissing},
		{"07b one of two key fields missing", oneFieldMissing},
		{"07c both of two key fields missing", bothFieldsMissing},
		{"08 all records fail", allFail},
		{"09 in progress elsewhere", inProgressElsewhere},
		{"10 large integers stay distinct", largeIntegers},
		{"11 handler panics or exits", handlerPanics},
		{"12 FIFO order after a failure", fifoFailure},
		{"13 store down for 3 of 10", storeDownForSome},
		{"14 retention shorter than the handler", retentionTooShort},
		{"15 a thousand records", thousandRecords},
		{"16 nested guards on one store", nestedGuards},
		{"17 handler changes its record", handlerChangesRecord},
		{"18 every failure of a parallel batch is listed", parallelFailures},
		{"19 keys are stable over parallel batches", parallelBatches},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.play(t, &scene{runs: make(map[string]int)}) })
		})
	}
}

// scene is a store and a handler that counts the effects.
type scene struct {
	store memdedupe.Store

	mu   sync.Mutex
	runs map[string]int // effects by ID
	do   consumer.HandlerFunc
}

func (s *scene) HandleRecord(ctx context.Context, rec *consumer.Record) error {
	id := rec.ID
	if s.do != nil {
		if err := s.do(ctx, rec); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.runs[id]++
	s.mu.Unlock()
	return nil
}

func (s *scene) wantEffects(t *testing.T, n int, ids ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.runs[id] != n {
			t.Errorf("effect of %s happened %d times, want %d", id, s.runs[id], n)
		}
	}
}

// row looks at the row of a record by what a stranger's completion is told.
func (s *scene) row(t *testing.T, o dedupe.Options, rec *consumer.Record) dedupe.Row {
	t.Helper()
	if o.Key == nil {
		o.Key = dedupe.ID
	}
	key, err := dedupe.KeyOf("scene", o.Key, rec)
	if err != nil {
		t.Fatal(err)
	}
	vs, err := s.store.Apply(context.Background(), []dedupe.Op{{Kind: dedupe.OpComplete, Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	return vs[0].Row
}

// deliver processes records over a guard of its own, as a worker of its own
// does, and returns the errors by place.
func (s *scene) deliver(ctx context.Context, t *testing.T, store dedupe.Store, o dedupe.Options, b batch.Options, recs ...*consumer.Record) []error {
	t.Helper()
	o.Consumer = "scene"
	return results(ctx, t, batch.New(dedupe.New(store, o), s, b), recs)
}

func results(ctx context.Context, t *testing.T, p *batch.Processor, recs []*consumer.Record) []error {
	t.Helper()
	errs := make([]error, len(recs))
	told := make([]bool, len(recs))
	for rec, err := range p.Process(ctx, recs) {
		i := slices.Index(recs, rec)
		if told[i] {
			t.Errorf("%s has two outcomes", rec.ID)
		}
		told[i], errs[i] = true, err
	}
	if i := slices.Index(told, false); i >= 0 {
		t.Errorf("%s has no outcome", recs[i].ID)
	}
	return errs
}

func named(ids ...string) []*consumer.Record {
	recs := make([]*consumer.Record, len(ids))
	for i, id := range ids {
		recs[i] = &consumer.Record{ID: id}
	}
	return recs
}

func bodies(texts ...string) []*consumer.Record {
	recs := make([]*consumer.Record, len(texts))
	for i, text := range texts {
		recs[i] = &consumer.Record{ID: fmt.Sprint("m", i), Body: []byte(text)}
	}
	return recs
}

func wantDone(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("record %d: got error %v, want none", i, err)
		}
	}
}

var errScene = errors.New("handler failed in the scene")

func (s *scene) losing(lose func(ops []dedupe.Op) dedupetest.Loss) *dedupetest.Lossy {
	return &dedupetest.Lossy{Store: &s.store, Lose: lose}
}

// losingKind loses the first n calls with an operation of that kind.
func (s *scene) losingKind(kind dedupe.OpKind, n int, loss dedupetest.Loss) *dedupetest.Lossy {
	var mu sync.Mutex
	return s.losing(func(ops []dedupe.Op) dedupetest.Loss {
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(ops, func(op dedupe.Op) bool { return op.Kind == kind }) {
			return dedupetest.LoseNothing
		}
		if n--; n < 0 {
			return dedupetest.LoseNothing
		}
		return loss
	})
}

const always = 1 << 30

func claimAnswerLost(t *testing.T, s *scene) {
	store := s.losingKind(dedupe.OpClaim, 1, dedupetest.LoseAnswer)
	began := time.Now()
	wantDone(t, s.deliver(t.Context(), t, store, dedupe.Options{}, batch.Options{}, named("a", "b", "c")...))
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v, want no wait for a lease", took)
	}
	wantDone(t, s.deliver(t.Context(), t, store, dedupe.Options{}, batch.Options{}, named("a", "b", "c")...))
	s.wantEffects(t, 1, "a", "b", "c")
}

// overtaken delivers a record to a worker that hears nothing of its store
// after the claim, and while its handler works to another one, which
// completes. The first one's handler ends with err.
func overtaken(t *testing.T, s *scene, err error) (first []error) {
	t.Helper()
	s.do = func(ctx context.Context, rec *consumer.Record) error {
		if c, _ := dedupe.FromContext(ctx); c.Claims == 1 {
			time.Sleep(2 * time.Minute)
			return err
		}
		return nil
	}
	ended := make(chan []error)
	go func() {
		store := s.losingKind(dedupe.OpExtend, always, dedupetest.LoseRequest)
		ended <- s.deliver(t.Context(), t, store, dedupe.Options{}, batch.Options{}, named("a")...)
	}()
	time.Sleep(time.Minute)
	wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a")...))
	return <-ended
}

func completesLate(t *testing.T, s *scene) {
	began := time.Now()
	wantDone(t, overtaken(t, s, nil)) // the work is done
	row := s.row(t, dedupe.Options{}, &consumer.Record{ID: "a"})
	if at := row.Completed.Time().Sub(began); row.State != dedupe.Completed || row.Claims != 2 || at > 61*time.Second {
		t.Errorf("row is %v after %v and %d claims, want what the second worker wrote", row.State, at, row.Claims)
	}
}

func failsLate(t *testing.T, s *scene) {
	first := overtaken(t, s, errScene)
	if !errors.Is(first[0], errScene) {
		t.Errorf("first worker: got error %v, want its own", first[0])
	}
	wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a")...))
	s.wantEffects(t, 1, "a")
}

func completionFails(t *testing.T, s *scene) {
	for i, loss := range []dedupetest.Loss{dedupetest.LoseRequest, dedupetest.LoseAnswer} {
		id := fmt.Sprint("tried again", i)
		wantDone(t, s.deliver(t.Context(), t, s.losingKind(dedupe.OpComplete, 3, loss), dedupe.Options{}, batch.Options{}, named(id)...))
		wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named(id)...))
		s.wantEffects(t, 1, id)
	}
	errs := s.deliver(t.Context(), t, s.losingKind(dedupe.OpComplete, always, dedupetest.LoseRequest), dedupe.Options{}, batch.Options{}, named("never")...)
	if _, ok := errors.AsType[*dedupe.StoreError](errs[0]); !ok {
		t.Errorf("completion that was never written: got error %v, want a StoreError", errs[0])
	}
	errs = s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("never")...)
	if !errors.Is(errs[0], dedupe.ErrInProgress) {
		t.Errorf("redelivery: got error %v, want in progress: it must not run beside the effect", errs[0])
	}
	s.wantEffects(t, 1, "never")
}

func keyTwice(t *testing.T, s *scene) {
	for _, n := range []int{1, 10} {
		s.do = func(context.Context, *consumer.Record) error { time.Sleep(time.Second); return nil }
		ids := []string{fmt.Sprint("a", n), fmt.Sprint("b", n), fmt.Sprint("a", n), fmt.Sprint("a", n)}
		wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{Concurrency: n}, named(ids...)...))
		s.wantEffects(t, 1, ids...)
	}
}

func stopsBeforeDeadline(t *testing.T, s *scene) {
	for _, n := range []int{1, 4} {
		s.do = func(ctx context.Context, _ *consumer.Record) error {
			select {
			case <-time.After(300 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		ids := make([]string, 20)
		for i := range ids {
			ids[i] = fmt.Sprintf("%d of %d", i, n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		began := time.Now()
		recs := named(ids...)
		errs := s.deliver(ctx, t, &s.store, dedupe.Options{}, batch.Options{Concurrency: n}, recs...)
		if took := time.Since(began); took >= time.Second {
			t.Errorf("answered after %v, want before the deadline", took)
		}
		cancel()
		done := 0
		for i, err := range errs {
			row := s.row(t, dedupe.Options{}, recs[i])
			if err == nil {
				done++
			}
			if (err == nil) != (row.State == dedupe.Completed) || row.State == dedupe.Processing {
				t.Errorf("%s: error %v and a row that is %v", ids[i], err, row.State)
			}
		}
		if done == 0 || done == len(ids) {
			t.Errorf("%d of %d done, want some", done, len(ids))
		}
		s.do = nil
		wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, recs...)) // at once
		s.wantEffects(t, 1, ids...)
	}
}

// wantNoKey delivers bodies twice and fails unless those at the places in bad
// failed for want of a key, ran never and left no row.
func wantNoKey(t *testing.T, s *scene, key dedupe.KeyFunc, bad []int, texts ...string) {
	t.Helper()
	for range 2 {
		errs := s.deliver(t.Context(), t, &s.store, dedupe.Options{Key: key}, batch.Options{}, bodies(texts...)...)
		for i, err := range errs {
			switch _, ok := errors.AsType[*dedupe.KeyError](err); {
			case slices.Contains(bad, i) && !ok:
				t.Errorf("%s: got error %v, want a KeyError", texts[i], err)
			case !slices.Contains(bad, i) && err != nil:
				t.Errorf("%s: got error %v, want none", texts[i], err)
			}
		}
	}
	for i := range texts {
		s.wantEffects(t, map[bool]int{true: 0, false: 1}[slices.Contains(bad, i)], fmt.Sprint("m", i))
	}
	if n := s.store.Len(); n != len(texts)-len(bad) {
		t.Errorf("%d rows, want %d", n, len(texts)-len(bad))
	}
}

func keyMissing(t *testing.T, s *scene) {
	wantNoKey(t, s, dedupe.Field("/id"), []int{1, 2, 3, 4},
		`{"id":1}`, `{}`, `{"id":null}`, `{"id":""}`, `not JSON`, `{"id":2}`)
}

func oneFieldMissing(t *testing.T, s *scene) {
	wantNoKey(t, s, dedupe.Field("/a", "/b"), []int{1, 2}, `{"a":1,"b":2}`, `{"a":1}`, `{"a":null,"b":2}`)
}

func bothFieldsMissing(t *testing.T, s *scene) {
	wantNoKey(t, s, dedupe.Field("/a", "/b"), []int{0, 1}, `{"c":1}`, `{"c":2}`)
}

func allFail(t *testing.T, s *scene) {
	s.do = func(context.Context, *consumer.Record) error { return errScene }
	for i, err := range s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")...) {
		if !errors.Is(err, errScene) {
			t.Errorf("record %d: got error %v, want the handler's", i, err)
		}
	}
}

func inProgressElsewhere(t *testing.T, s *scene) {
	s.do = func(_ context.Context, rec *consumer.Record) error {
		if rec.ID == "a" {
			time.Sleep(time.Minute)
		}
		return nil
	}
	ended := make(chan []error)
	go func() {
		ended <- s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a")...)
	}()
	time.Sleep(time.Second)
	errs := s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named("a", "b")...)
	if e, ok := errors.AsType[*consumer.RetryError](errs[0]); !ok || e.After <= 0 || !errors.Is(e, dedupe.ErrInProgress) {
		t.Errorf("got error %v, want to come back later", errs[0])
	}
	wantDone(t, errs[1:])
	wantDone(t, <-ended)
	s.wantEffects(t, 1, "a", "b")
}

func largeIntegers(t *testing.T, s *scene) {
	recs := bodies(
		`{"id":9007199254740992}`, `{"id":9007199254740993}`,
		`{"id":12345678901234567890}`, `{"id":12345678901234567891}`,
		`{"id":1}`, `{"id":1.0}`, `{"id":"1"}`)
	wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{Key: dedupe.Field("/id")}, batch.Options{}, recs...))
	for _, rec := range recs {
		s.wantEffects(t, 1, rec.ID)
	}
}

func handlerPanics(t *testing.T, s *scene) {
	for name, end := range map[string]func(){"panic": func() { panic(errScene) }, "Goexit": runtime.Goexit} {
		for _, n := range []int{1, 10} {
			ids := make([]string, 10)
			for i := range ids {
				ids[i] = fmt.Sprint(name, n, "-", i)
			}
			s.do = func(_ context.Context, rec *consumer.Record) error {
				if rec.ID == ids[3] {
					end()
				}
				return nil
			}
			errs := s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{Concurrency: n}, named(ids...)...)
			if errs[3] == nil {
				t.Errorf("%s: the record is done", name)
			}
			wantDone(t, slices.Delete(errs, 3, 4))
			s.do = nil
			wantDone(t, s.deliver(t.Context(), t, &s.store, dedupe.Options{}, batch.Options{}, named(ids...)...))
			s.wantEffects(t, 1, ids...)
		}
	}
}
