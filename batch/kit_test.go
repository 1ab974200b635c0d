package batch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// bubble runs f in a bubble of fake time, and fails when f is still not
// through after a day: heartbeats would keep a batch that hangs alive.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		watchdog := time.AfterFunc(24*time.Hour, func() { panic("the batch hangs") })
		defer watchdog.Stop()
		f(t)
		if took := time.Since(began); took > 12*time.Hour {
			t.Errorf("took %v", took)
		}
	})
}

func guard(s dedupe.Store) *dedupe.Guard { return dedupe.New(s, dedupe.Options{Consumer: "test"}) }

// records returns n records of a standard queue with IDs r00000, r00001, ...
func records(n int) []*consumer.Record {
	recs := make([]*consumer.Record, n)
	for i := range recs {
		recs[i] = &consumer.Record{ID: fmt.Sprintf("r%05d", i)}
	}
	return recs
}

// fifo returns one ordered record per ID; its group is what stands before the
// first digit.
func fifo(ids ...string) []*consumer.Record {
	recs := make([]*consumer.Record, len(ids))
	for i, id := range ids {
		recs[i] = &consumer.Record{ID: id, Group: id[:1], Ordered: true}
	}
	return recs
}

// outcomes are what Process yielded.
type outcomes struct {
	order []*consumer.Record
	err   map[*consumer.Record]error
	at    map[*consumer.Record]time.Duration // since the start
}

// process runs recs to the end and checks that each has exactly one outcome.
func process(ctx context.Context, t *testing.T, p *batch.Processor, recs []*consumer.Record) outcomes {
	t.Helper()
	began := time.Now()
	out := outcomes{err: make(map[*consumer.Record]error), at: make(map[*consumer.Record]time.Duration)}
	for rec, err := range p.Process(ctx, recs) {
		if _, ok := out.err[rec]; ok {
			t.Errorf("%s was yielded twice", rec.ID)
		}
		out.order = append(out.order, rec)
		out.err[rec], out.at[rec] = err, time.Since(began)
	}
	for i, rec := range recs {
		if _, ok := out.err[rec]; !ok {
			t.Errorf("record %d, %s, was not yielded", i, rec.ID)
		}
	}
	if len(out.order) != len(recs) {
		t.Errorf("got %d outcomes of %d records", len(out.order), len(recs))
	}
	return out
}

// done fails unless every record may be acknowledged.
func (o outcomes) done(t *testing.T) {
	t.Helper()
	for rec, err := range o.err {
		if err != nil {
			t.Errorf("%s: got %v, want nil", rec.ID, err)
		}
	}
}

// ledger notes what handlers did.
type ledger struct {
	mu      sync.Mutex
	began   time.Time
	order   []string                 // IDs in the order in which handlers started
	starts  map[string]time.Duration // since the ledger was made
	ends    map[string]time.Duration
	runs    map[string]int
	running atomic.Int32
	peak    int32
}

func newLedger() *ledger {
	return &ledger{
		began: time.Now(), starts: make(map[string]time.Duration),
		ends: make(map[string]time.Duration), runs: make(map[string]int),
	}
}

// handler returns f as a handler that is noted.
func (l *ledger) handler(f consumer.HandlerFunc) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		n := l.running.Add(1)
		defer l.running.Add(-1)
		l.mu.Lock()
		l.peak = max(l.peak, n)
		l.order = append(l.order, rec.ID)
		l.starts[rec.ID] = time.Since(l.began)
		l.runs[rec.ID]++
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			l.ends[rec.ID] = time.Since(l.began)
			l.mu.Unlock()
		}()
		return f(ctx, rec)
	})
}

// ran returns how often the handler of that record was started.
func (l *ledger) ran(id string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[id]
}

// takes is a handler that takes d and does not look at its context.
func takes(d time.Duration) consumer.HandlerFunc {
	return func(context.Context, *consumer.Record) error {
		time.Sleep(d)
		return nil
	}
}

// obeys is a handler that takes d, or ends when its context does.
func obeys(d time.Duration) consumer.HandlerFunc {
	return func(ctx context.Context, _ *consumer.Record) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wantNotStarted fails unless err says that nothing was started, and why.
func wantNotStarted(t *testing.T, err, cause error) {
	t.Helper()
	if e, ok := errors.AsType[*batch.NotStartedError](err); !ok || !errors.Is(err, cause) {
		t.Errorf("got %T %v, want a NotStartedError because of %v (%v)", err, err, cause, e)
	}
}

// wantAbandoned fails unless err says that the handler was given up, and why.
func wantAbandoned(t *testing.T, err, cause error) {
	t.Helper()
	if e, ok := errors.AsType[*batch.AbandonedError](err); !ok || !errors.Is(err, cause) {
		t.Errorf("got %T %v, want an AbandonedError because of %v (%v)", err, err, cause, e)
	}
}
