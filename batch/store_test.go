package batch_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// store is an exact store that takes its time, counts, fails where it is told
// to, and remembers the rows.
type store struct {
	delay time.Duration

	// before is asked for the error of each call, before anything is applied.
	before func(ops []dedupe.Op) error

	// after is asked for the error of each call, once all was applied.
	after func(ops []dedupe.Op) error

	inner memdedupe.Store

	mu     sync.Mutex
	rows   map[dedupe.Key]dedupe.Row
	calls  int
	ops    map[dedupe.OpKind]int
	flying int
	peak   int // calls in flight
}

func newStore(delay time.Duration) *store {
	return &store{delay: delay, rows: make(map[dedupe.Key]dedupe.Row), ops: make(map[dedupe.OpKind]int)}
}

var errDown = errors.New("store is down")

func (s *store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	s.enter(ops)
	defer s.leave()
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if s.before != nil {
		if err := s.before(ops); err != nil {
			return nil, err
		}
	}
	vs, err := s.apply(ops)
	if err == nil && s.after != nil {
		err = s.after(ops)
	}
	return vs, err
}

func (s *store) enter(ops []dedupe.Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for _, op := range ops {
		s.ops[op.Kind]++
	}
	s.flying++
	s.peak = max(s.peak, s.flying)
}

func (s *store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
}

func (s *store) apply(ops []dedupe.Op) ([]dedupe.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vs, err := s.inner.Apply(context.Background(), ops)
	for i, v := range vs {
		if v.Row.Exists() {
			s.rows[ops[i].Key] = v.Row
		}
	}
	return vs, err
}

// reset starts the counting anew.
func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.peak = 0, 0
	clear(s.ops)
}

// state returns the state of the row of the record with that ID.
func (s *store) state(id string) dedupe.State { return s.row(id).State }

// row returns the row of the record with that ID.
func (s *store) row(id string) dedupe.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, row := range s.rows {
		if strings.HasSuffix(string(key), id) {
			return row
		}
	}
	return dedupe.Row{}
}

// states counts the rows by their state.
func (s *store) states() map[dedupe.State]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := make(map[dedupe.State]int)
	for row := range maps.Values(s.rows) {
		n[row.State]++
	}
	return n
}
