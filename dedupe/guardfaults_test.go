package dedupe_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// faults is a store in memory whose calls a test can lose, delay, fail and
// count.
type faults struct {
	mem memdedupe.Store

	// before comes before the store sees a call, after before its answer
	// goes back. An error of either loses the call. They are set before the
	// guard is used, or while nothing is under way.
	before, after func(ctx context.Context, ops []dedupe.Op) error

	mu    sync.Mutex
	calls [][]dedupe.Op
}

func (f *faults) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	f.mu.Lock()
	f.calls = append(f.calls, slices.Clone(ops))
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(ctx, ops); err != nil {
			return nil, err
		}
	}
	vs, err := f.mem.Apply(ctx, ops)
	if err == nil && f.after != nil {
		if err := f.after(ctx, ops); err != nil {
			return nil, err
		}
	}
	return vs, err
}

// count returns the number of operations of that kind that were sent.
func (f *faults) count(kind dedupe.OpKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, ops := range f.calls {
		for i := range ops {
			if ops[i].Kind == kind {
				n++
			}
		}
	}
	return n
}

// sent returns how many calls were made.
func (f *faults) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// row looks at the row of key: a stranger's completion changes nothing and is
// told the row.
func (f *faults) row(t *testing.T, key dedupe.Key) dedupe.Row {
	t.Helper()
	vs, err := f.mem.Apply(context.Background(), []dedupe.Op{{Kind: dedupe.OpComplete, Key: key}})
	if err != nil {
		t.Fatalf("look at %s: %v", key, err)
	}
	return vs[0].Row
}

// wantState fails the test unless the row of rec is in that state.
func (f *faults) wantState(t *testing.T, id string, want dedupe.State) dedupe.Row {
	t.Helper()
	row := f.row(t, workKey(id))
	if row.State != want {
		t.Errorf("row of %s is %v, want %v", id, row.State, want)
	}
	return row
}

var errDown = errors.New("store is down")

// on returns a hook that calls do for the calls with an operation of that
// kind.
func on(kind dedupe.OpKind, do func(ctx context.Context) error) func(context.Context, []dedupe.Op) error {
	return func(ctx context.Context, ops []dedupe.Op) error {
		if slices.ContainsFunc(ops, func(op dedupe.Op) bool { return op.Kind == kind }) {
			return do(ctx)
		}
		return nil
	}
}

// hang is a call that is never answered.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func fail(context.Context) error { return errDown }

// takes is a call that is d on its way.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// times does do the first n times, and nothing after.
func times(n int, do func(context.Context) error) func(context.Context) error {
	var mu sync.Mutex
	return func(ctx context.Context) error {
		mu.Lock()
		n--
		left := n
		mu.Unlock()
		if left < 0 {
			return nil
		}
		return do(ctx)
	}
}

// ledger is an Observer that keeps the events.
type ledger struct {
	mu     sync.Mutex
	events []consumer.Event
}

func (l *ledger) Observe(_ context.Context, e consumer.Event) {
	l.mu.Lock()
	l.events = append(l.events, e)
	l.mu.Unlock()
}

// told returns the events of type E.
func told[E consumer.Event](l *ledger) []E {
	l.mu.Lock()
	defer l.mu.Unlock()
	var es []E
	for _, e := range l.events {
		if e, ok := e.(E); ok {
			es = append(es, e)
		}
	}
	return es
}

// wantTold fails the test unless there were n events of type E.
func wantTold[E consumer.Event](t *testing.T, l *ledger, n int) []E {
	t.Helper()
	es := told[E](l)
	if len(es) != n {
		var e E
		t.Fatalf("told %q %d times, want %d: %+v", e.EventName(), len(es), n, es)
	}
	return es
}

const worker = "orders" // the consumer of nearly all guards here

func workKey(id string) dedupe.Key {
	k, err := dedupe.KeyOf(worker, dedupe.ID, record(id))
	if err != nil {
		panic(err)
	}
	return k
}

func record(id string) *consumer.Record { return &consumer.Record{ID: id, Body: []byte(id)} }

func records(ids ...string) []*consumer.Record {
	recs := make([]*consumer.Record, len(ids))
	for i, id := range ids {
		recs[i] = record(id)
	}
	return recs
}

// newGuard returns a guard over f and what it tells.
func newGuard(f *faults, change ...func(*dedupe.Options)) (*dedupe.Guard, *ledger) {
	l := &ledger{}
	o := dedupe.Options{Consumer: worker, Observer: l}
	for _, c := range change {
		c(&o)
	}
	return dedupe.New(f, o), l
}

// bubble runs a subtest on a fake clock. Its end proves that no goroutine is
// left.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// tally is a handler that counts its runs.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
	do   func(ctx context.Context, rec *consumer.Record) error // may be nil
}

func (h *tally) HandleRecord(ctx context.Context, rec *consumer.Record) error {
	h.mu.Lock()
	if h.runs == nil {
		h.runs = make(map[string]int)
	}
	h.runs[rec.ID]++
	h.mu.Unlock()
	if h.do == nil {
		return nil
	}
	return h.do(ctx, rec)
}

func (h *tally) of(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[id]
}

// wantRuns fails the test unless the handler of id ran n times.
func (h *tally) wantRuns(t *testing.T, id string, n int) {
	t.Helper()
	if got := h.of(id); got != n {
		t.Errorf("handler of %s ran %d times, want %d", id, got, n)
	}
}

// once takes one record through g's middleware.
func once(ctx context.Context, g *dedupe.Guard, h consumer.Handler, id string) error {
	return g.Middleware()(h).HandleRecord(ctx, record(id))
}

// desk is a session with its outcomes.
type desk struct {
	*dedupe.Session
	mu    sync.Mutex
	told  map[int][]error
	again []*dedupe.Ticket
}

func openDesk(ctx context.Context, g *dedupe.Guard, limit time.Time) *desk {
	d := &desk{told: make(map[int][]error)}
	d.Session = g.Session(ctx, dedupe.SessionOptions{
		Settled: func(t *dedupe.Ticket, err error) {
			d.mu.Lock()
			d.told[t.Number()] = append(d.told[t.Number()], err)
			d.mu.Unlock()
		},
		Again: func(t *dedupe.Ticket) {
			d.mu.Lock()
			d.again = append(d.again, t)
			d.mu.Unlock()
		},
		Deadline: limit, Limit: limit,
	})
	return d
}

// admit admits recs and returns their tickets.
func (d *desk) admit(ids ...string) []*dedupe.Ticket {
	ts := d.Admit(records(ids...), 0)
	ps := make([]*dedupe.Ticket, len(ts))
	for i := range ts {
		ps[i] = &ts[i]
	}
	return ps
}

// outcome returns what ticket n was told, which must be exactly one thing.
func (d *desk) outcome(t *testing.T, n int) error {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.told[n]) != 1 {
		t.Fatalf("ticket %d has %d outcomes, want 1: %v", n, len(d.told[n]), d.told[n])
	}
	return d.told[n][0]
}

// open reports whether ticket n has no outcome yet.
func (d *desk) open(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.told[n]) == 0
}

// retries returns the tickets told to Again since the last call.
func (d *desk) retries() []*dedupe.Ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	ts := d.again
	d.again = nil
	return ts
}

// work handles and settles tk as a batch does.
func (d *desk) work(tk *dedupe.Ticket, h consumer.Handler) {
	d.Enter()
	defer d.Leave()
	tk.Settle(tk.Handle(h))
}

// wantIs fails the test unless err is target.
func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}
