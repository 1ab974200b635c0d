package sqssource_test

import (
	"context"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// ledger notes what handlers did, by the label of the message.
type ledger struct {
	mu       sync.Mutex
	began    time.Time
	starts   map[string][]time.Duration // since the ledger was made
	ends     map[string][]time.Duration // of the runs that returned nil
	order    []string                   // as handlers started
	current  map[string]int             // running now
	overlaps int                        // starts while the same message ran
	running  int
	peak     int
}

func newLedger() *ledger {
	return &ledger{
		began: time.Now(), starts: make(map[string][]time.Duration),
		ends: make(map[string][]time.Duration), current: make(map[string]int),
	}
}

// handler returns h as a handler that is noted.
func (l *ledger) handler(h consumer.Handler) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) (err error) {
		name := label(string(rec.Body))
		l.mu.Lock()
		l.order = append(l.order, name)
		l.starts[name] = append(l.starts[name], time.Since(l.began))
		if l.current[name] > 0 {
			l.overlaps++
		}
		l.current[name]++
		l.running++
		l.peak = max(l.peak, l.running)
		l.mu.Unlock()
		ok := false
		defer func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.current[name]--
			l.running--
			if ok {
				l.ends[name] = append(l.ends[name], time.Since(l.began))
			}
		}()
		err = h.HandleRecord(ctx, rec)
		ok = err == nil
		return err
	})
}

// ran returns how often the handler of that message was started, finished how
// often it returned nil.
func (l *ledger) ran(name string) int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.starts[name]) }
func (l *ledger) finished(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ends[name])
}

// runs returns how many handlers were started in all.
func (l *ledger) runs() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.order) }

// handling returns how many handlers run now.
func (l *ledger) handling() int { l.mu.Lock(); defer l.mu.Unlock(); return l.running }

// once fails unless n messages were run, each once, none twice at a time.
func (b *bed) once(n int) {
	b.Helper()
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	if got := len(b.ledger.order); got != n || len(b.ledger.starts) != n || b.ledger.overlaps != 0 {
		b.Errorf("got %d runs of %d messages, %d overlaps; want %d runs of %d messages and no overlap",
			got, len(b.ledger.starts), b.ledger.overlaps, n, n)
	}
}

// takes is a handler that takes d and does not look at its context.
func takes(d time.Duration) consumer.HandlerFunc {
	return func(context.Context, *consumer.Record) error {
		time.Sleep(d)
		return nil
	}
}

// obeys is a handler that takes d, or ends with its context's cause.
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

// failing is a handler that fails the first n times that it is given each
// message.
func failing(n int, err error) consumer.HandlerFunc {
	var mu sync.Mutex
	tries := make(map[string]int)
	return func(_ context.Context, rec *consumer.Record) error {
		mu.Lock()
		defer mu.Unlock()
		tries[rec.ID]++
		if tries[rec.ID] <= n {
			return err
		}
		return nil
	}
}

// events keeps what observers are told.
type events struct {
	mu    sync.Mutex
	began time.Time
	all   []told
}

// told is one event and when it was told.
type told struct {
	at time.Duration
	consumer.Event
}

func (e *events) Observe(_ context.Context, ev consumer.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, told{time.Since(e.began), ev})
}

// seen returns the events of one kind.
func seen[E consumer.Event](b *bed) []E {
	b.events.mu.Lock()
	defer b.events.mu.Unlock()
	var out []E
	for _, t := range b.events.all {
		if e, ok := t.Event.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// wantSeen fails unless n events of a kind were told, and returns them.
func wantSeen[E consumer.Event](b *bed, n int) []E {
	b.Helper()
	got := seen[E](b)
	if len(got) != n {
		var e E
		b.Errorf("events %s: got %d, want %d: %+v", e.EventName(), len(got), n, got)
	}
	return got
}

// store is a store in memory that a test can keep from answering.
type store struct {
	mem     memdedupe.Store
	mu      sync.Mutex
	err     func(ops []dedupe.Op) error
	hanging bool
	skips   func(op dedupe.Op) bool
}

// fail makes calls fail for which f returns an error; nil ends that.
func (s *store) fail(f func(ops []dedupe.Op) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = f
}

// hang makes calls wait for the end of their context.
func (s *store) hang(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging = yes
}

// skip leaves operations undecided for which f says so.
func (s *store) skip(f func(op dedupe.Op) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skips = f
}

func (s *store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	s.mu.Lock()
	fail, hanging, skips := s.err, s.hanging, s.skips
	s.mu.Unlock()
	if hanging {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if fail != nil {
		if err := fail(ops); err != nil {
			return nil, err
		}
	}
	if skips == nil {
		return s.mem.Apply(ctx, ops)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]dedupe.Verdict, len(ops))
	for i := range ops {
		if skips(ops[i]) {
			out[i].Err = errNo
			continue
		}
		v, err := s.mem.Apply(ctx, ops[i:i+1])
		if err != nil {
			return nil, err
		}
		out[i] = v[0]
	}
	return out, nil
}
