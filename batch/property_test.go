package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Whatever records, handlers, store and clock do, each record of each batch
// gets one outcome, what is acknowledged is COMPLETED, and no key's handler
// succeeds twice while the store answers.
func TestAnyBatch(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	base := rand.Uint64()
	for i := range seeds {
		seed := base + uint64(i)
		bubble(t, func(t *testing.T) { newWorld(t, seed).run() })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Circumstances that brought a bug to light stay.
func TestBatchesOfOld(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 3, 5551319282081218559} {
		bubble(t, func(t *testing.T) { newWorld(t, seed).run() })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

var errHandler = errors.New("handler failed")

// deed is what the handler of one record does.
type deed struct {
	takes   time.Duration
	ignores bool // its context
	ends    int  // how it ends, see the constants
}

const (
	succeeds = iota
	fails
	panics
	exits
)

// world is a random batch in random circumstances.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	store  *store
	p      *batch.Processor
	o      batch.Options
	late   bool // at most once
	faulty bool // the store

	mu        sync.Mutex
	running   int
	obeying   int // of those, the ones that end with their context
	started   map[*consumer.Record]bool
	tried     map[string]bool // keys whose handler was started: twins share what became of it
	succeeded map[string]int
	batches   []consumer.BatchDone
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)),
		started: make(map[*consumer.Record]bool), tried: make(map[string]bool), succeeded: make(map[string]int),
	}
	w.store = newStore(w.pick(0, 0, time.Millisecond, 5*time.Millisecond, 40*time.Millisecond))
	w.faulty, w.late = w.rnd.IntN(4) == 0, w.rnd.IntN(4) == 0
	if w.faulty {
		seed := w.rnd.Uint64()
		var mu sync.Mutex
		rnd := rand.New(rand.NewPCG(seed, 2))
		flip := func([]dedupe.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if rnd.IntN(6) == 0 {
				return errDown
			}
			return nil
		}
		w.store.before, w.store.after = flip, flip
	}
	w.o = batch.Options{
		Concurrency:   1 + w.rnd.IntN(6),
		StopOnFailure: w.rnd.IntN(4) == 0,
		Decode: func(rec *consumer.Record) error {
			switch string(rec.Body) {
			case "refuse":
				return errHandler
			case "panic":
				panic("decoder")
			}
			return nil
		},
		Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			if e, ok := e.(consumer.BatchDone); ok {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.batches = append(w.batches, e)
			}
		}),
	}
	g := dedupe.New(w.store, dedupe.Options{Consumer: "test", AtMostOnce: w.late})
	w.p = batch.New(g, consumer.HandlerFunc(w.handle), w.o)
	return w
}

func (w *world) pick(ds ...time.Duration) time.Duration { return ds[w.rnd.IntN(len(ds))] }

func (w *world) run() {
	var all sync.WaitGroup
	for range 1 + w.rnd.IntN(3) {
		recs, ctx, leaves := w.batch(), context.Background(), -1
		cancel := context.CancelFunc(func() {})
		switch w.rnd.IntN(5) {
		case 0, 1:
			ctx, cancel = context.WithTimeout(ctx, time.Duration(w.rnd.IntN(3000))*time.Millisecond)
		case 2:
			ctx, cancel = context.WithCancel(ctx)
			time.AfterFunc(time.Duration(w.rnd.IntN(300))*time.Millisecond, cancel)
		case 3:
			if len(recs) > 0 {
				leaves = w.rnd.IntN(len(recs))
			}
		}
		all.Go(func() {
			defer cancel()
			w.batchRuns(ctx, recs, leaves)
		})
	}
	all.Wait()
	time.Sleep(time.Minute) // handlers that were abandoned, leases that lapse
	w.after()
}

// batch draws the records of one batch and what their handlers do.
func (w *world) batch() []*consumer.Record {
	recs := make([]*consumer.Record, w.rnd.IntN(40))
	keys, ordered := 1+w.rnd.IntN(60), w.rnd.IntN(2) == 0
	for i := range recs {
		rec := &consumer.Record{ID: fmt.Sprintf("k%03d", w.rnd.IntN(keys))}
		if ordered {
			rec.Ordered, rec.Group = true, fmt.Sprint(w.rnd.IntN(4))
		}
		switch w.rnd.IntN(40) {
		case 0:
			rec.Body = []byte("refuse")
		case 1:
			rec.Body = []byte("panic")
		case 2:
			rec.ID = ""
		}
		d := deed{takes: w.pick(0, 0, time.Millisecond, 20*time.Millisecond, 300*time.Millisecond, 5*time.Second)}
		d.ignores = w.rnd.IntN(8) == 0
		if w.rnd.IntN(4) == 0 {
			d.ends = w.rnd.IntN(4)
		}
		rec.Raw = d
		recs[i] = rec
	}
	return recs
}

func (w *world) handle(ctx context.Context, rec *consumer.Record) error {
	d := rec.Raw.(deed)
	w.begins(rec, d)
	defer w.ends(d)
	if ctx.Err() != nil && context.Cause(ctx) == batch.ErrDeadline {
		w.t.Errorf("%s was started after the cutoff", rec.ID)
	}
	if d.ignores {
		time.Sleep(d.takes)
	} else if err := obeys(d.takes)(ctx, rec); err != nil {
		return err
	}
	switch d.ends {
	case fails:
		return errHandler
	case panics:
		panic("handler")
	case exits:
		runtime.Goexit()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.succeeded[rec.ID]++
	return nil
}

func (w *world) begins(rec *consumer.Record, d deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started[rec], w.tried[rec.ID] = true, true
	w.running++
	if !d.ignores {
		w.obeying++
	}
	if w.obeying > w.o.Concurrency {
		w.t.Errorf("%d handlers at once, want at most %d", w.obeying, w.o.Concurrency)
	}
}

func (w *world) ends(d deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if !d.ignores {
		w.obeying--
	}
}

// batchRuns runs a batch, or as much of it as its caller wants to know.
func (w *world) batchRuns(ctx context.Context, recs []*consumer.Record, leaves int) {
	seen := make(map[*consumer.Record]error)
	for rec, err := range w.p.Process(ctx, recs) {
		if _, ok := seen[rec]; ok {
			w.t.Errorf("%s was yielded twice", rec.ID)
		}
		seen[rec] = err
		if err == nil && (rec.ID == "" || w.store.state(rec.ID) != dedupe.Completed) {
			w.t.Errorf("%s: acknowledged, its row is %v", rec.ID, w.store.state(rec.ID))
		}
		if len(seen) == leaves {
			return
		}
	}
	w.ordered(recs, seen)
	w.reasons(seen)
	if len(seen) != len(recs) {
		w.t.Errorf("%d outcomes of %d records", len(seen), len(recs))
	}
	if deadline, ok := ctx.Deadline(); ok && time.Now().After(deadline) && !w.faulty {
		w.t.Errorf("answered %v after the deadline", time.Since(deadline))
	}
}

// ordered checks that nothing of a message group ran after a record that
// failed.
func (w *world) ordered(recs []*consumer.Record, errs map[*consumer.Record]error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	failed := make(map[string]*consumer.Record)
	for _, rec := range recs {
		switch first := failed[rec.Group]; {
		case !rec.Ordered:
		case first != nil && w.started[rec]:
			w.t.Errorf("%s ran after %s of its group failed: %v", rec.ID, first.ID, errs[first])
		case first == nil && errs[rec] != nil:
			failed[rec.Group] = rec
		}
	}
}

// reasons checks that what did not run because time was up says so.
func (w *world) reasons(errs map[*consumer.Record]error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rec, err := range errs {
		_, claim := errors.AsType[*dedupe.StoreError](err) // cut short
		if errors.Is(err, batch.ErrDeadline) && !claim && !w.started[rec] && !w.tried[rec.ID] {
			wantNotStarted(w.t, err, batch.ErrDeadline)
		}
	}
}

// after checks what must hold once everything has come to rest.
func (w *world) after() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running != 0 {
		w.t.Errorf("%d handlers are still running", w.running)
	}
	for _, b := range w.batches {
		if b.Done+b.Failed != b.Records {
			w.t.Errorf("%+v does not add up", b)
		}
	}
	if w.faulty {
		return
	}
	for id, n := range w.succeeded {
		if n > 1 {
			w.t.Errorf("%s: the handler succeeded %d times", id, n)
		}
	}
	if n := w.store.states()[dedupe.Processing]; n > 0 {
		w.t.Errorf("%d rows are still PROCESSING", n)
	}
	// Every slot is free again.
	recs := records(w.o.Concurrency)
	for _, rec := range recs {
		rec.Raw = deed{takes: time.Second}
	}
	began := time.Now()
	for rec, err := range w.unlocked(recs) {
		if err != nil {
			w.t.Errorf("%s of the last batch: %v", rec.ID, err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		w.t.Errorf("the last batch took %v: slots are missing", took)
	}
}

func (w *world) unlocked(recs []*consumer.Record) func(func(*consumer.Record, error) bool) {
	return func(yield func(*consumer.Record, error) bool) {
		w.mu.Unlock()
		defer w.mu.Lock()
		w.p.Process(context.Background(), recs)(yield)
	}
}
