// Package memdedupe keeps the rows of package dedupe in memory: for tests, for
// development, and for a single process that may forget what it did when it
// ends. It executes [dedupe.Step] itself, so it is exact by construction.
//
// Nothing survives the process and nothing is shared with another one. A
// source that delivers again after a restart finds an empty store.
package memdedupe

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Store is a [dedupe.Store] in memory. Its zero value is ready to use. It
// must not be copied after its first use.
//
// Every operation of a call is decided, at once, under one lock. Expired rows
// are collected by the calls themselves, a few slots for each operation, so a
// busy store holds at most about half as many rows again as are live, and an idle
// one costs nothing. The index keeps the size of its peak until the store is
// empty.
type Store struct {
	mu   sync.Mutex
	rows map[dedupe.Key]*entry

	// ring has one slot per entry, in no order, and is what the sweep walks:
	// a map cannot be walked in small steps, and the times stand side by side.
	ring []slot
	next int // the slot that the sweep looks at next

	due   dedupe.Millis // no row expires before
	round dedupe.Millis // what due becomes when the sweep has come round
}

var _ dedupe.Store = (*Store)(nil)

// entry is one row. Its key stands here too because the sweep comes from the
// ring.
type entry struct {
	key dedupe.Key
	at  int // its slot
	row dedupe.Row
}

// slot is an entry's place in the ring with a copy of its row's expiry.
type slot struct {
	expiry dedupe.Millis
	entry  *entry
}

// never is the expiry of a row that has none.
const never = dedupe.Millis(math.MaxInt64)

// sweepPerOp bounds the slots looked at for one operation. When every claim
// adds a row, one look of the four removes a row and three move on, so the
// sweep comes round once per rows/3 claims: what expired meanwhile is at most
// a third of the rows held.
const sweepPerOp = 4

// New returns an empty store.
func New() *Store { return new(Store) }

// Apply applies ops as [dedupe.Store] says. It does not wait, so the only
// error is that of a ctx that has already ended; then nothing was applied.
func (s *Store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memdedupe: apply: %w", err)
	}
	verdicts := make([]dedupe.Verdict, len(ops))

	s.mu.Lock()
	defer s.mu.Unlock()
	now := dedupe.MillisOf(time.Now()) // under the lock: decisions follow the clock
	for i := range ops {
		s.apply(now, &ops[i], &verdicts[i])
	}
	if now >= s.due {
		s.sweep(now, sweepPerOp*len(ops))
	}
	return verdicts, nil
}

// Len returns the number of rows held, expired ones that were not collected
// yet included.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// apply decides one operation. Rows and verdicts are large: v is written in
// place, and a row that did not change is not written back.
func (s *Store) apply(now dedupe.Millis, op *dedupe.Op, v *dedupe.Verdict) {
	e := s.rows[op.Key]
	if e == nil {
		var row dedupe.Row
		if row, *v = dedupe.Step(row, now, *op); row.Exists() {
			s.insert(op.Key, &row)
		}
		return
	}
	var row dedupe.Row
	row, *v = dedupe.Step(e.row, now, *op)
	switch v.Outcome {
	case dedupe.Done, dedupe.Busy, dedupe.Lost: // the answers that change nothing
		return
	case dedupe.Won, dedupe.Applied, dedupe.Stuck, dedupe.Undecided:
	}
	if op.Kind == dedupe.OpComplete && v.Prior != dedupe.Completed {
		row.Result = bytes.Clone(op.Result) // the caller keeps its buffer
		v.Row.Result = row.Result
	}
	e.row = row
	s.noteExpiry(e)
}

// insert adds a row under a key that has none.
func (s *Store) insert(key dedupe.Key, row *dedupe.Row) {
	if s.rows == nil {
		s.rows = make(map[dedupe.Key]*entry)
		s.due, s.round = never, never
	}
	e := &entry{key: key, at: len(s.ring), row: *row}
	s.rows[key] = e
	s.ring = append(s.ring, slot{entry: e})
	s.noteExpiry(e)
}

// noteExpiry brings the slot and both bounds up to date with e's row.
func (s *Store) noteExpiry(e *entry) {
	expiry := e.row.Expiry()
	if expiry == 0 {
		expiry = never
	}
	s.ring[e.at].expiry = expiry
	s.due = min(s.due, expiry)
	s.round = min(s.round, expiry)
}
