package linear_test

import (
	"context"
	"crypto/rand"
	"maps"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/proof/figures"
	"github.com/onlyonce-go/onlyonce/proof/linear"
)

// storeFunc is a store that takes operations one by one.
type storeFunc func(dedupe.Op) dedupe.Verdict

func (f storeFunc) Apply(_ context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	verdicts := make([]dedupe.Verdict, len(ops))
	for i, op := range ops {
		verdicts[i] = f(op)
	}
	return verdicts, nil
}

// rows are rows under a lock.
type rows struct {
	mu   sync.Mutex
	rows map[dedupe.Key]dedupe.Row
}

// stepping is a correct store but for what f does to the row, the time or the
// operation.
func stepping(f func(*dedupe.Row, *dedupe.Millis, *dedupe.Op)) storeFunc {
	s := rows{rows: map[dedupe.Key]dedupe.Row{}}
	return func(op dedupe.Op) dedupe.Verdict {
		s.mu.Lock()
		defer s.mu.Unlock()
		row, now := s.rows[op.Key], dedupe.MillisOf(time.Now())
		f(&row, &now, &op)
		next, v := dedupe.Step(row, now, op)
		s.rows[op.Key] = next
		return v
	}
}

// brokenStores are stores with a mistake that shows only to callers at once,
// or at certain times.
var brokenStores = map[string]func() dedupe.Store{
	"read and write are not atomic": func() dedupe.Store {
		s := rows{rows: map[dedupe.Key]dedupe.Row{}}
		return storeFunc(func(op dedupe.Op) dedupe.Verdict {
			s.mu.Lock()
			row := s.rows[op.Key]
			s.mu.Unlock()
			runtime.Gosched()
			next, v := dedupe.Step(row, dedupe.MillisOf(time.Now()), op)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.rows[op.Key] = next
			return v
		})
	},
	"a write takes another key's back": func() dedupe.Store {
		var all atomic.Pointer[map[dedupe.Key]dedupe.Row]
		all.Store(&map[dedupe.Key]dedupe.Row{})
		return storeFunc(func(op dedupe.Op) dedupe.Verdict {
			snapshot := maps.Clone(*all.Load())
			runtime.Gosched()
			next, v := dedupe.Step(snapshot[op.Key], dedupe.MillisOf(time.Now()), op)
			snapshot[op.Key] = next
			all.Store(&snapshot)
			return v
		})
	},
	"refusals come from a stale read": func() dedupe.Store {
		s := rows{rows: map[dedupe.Key]dedupe.Row{}}
		stale := map[dedupe.Key]dedupe.Row{}
		return storeFunc(func(op dedupe.Op) dedupe.Verdict {
			s.mu.Lock()
			defer s.mu.Unlock()
			now := dedupe.MillisOf(time.Now())
			if _, v := dedupe.Step(stale[op.Key], now, op); v.Outcome == dedupe.Busy || v.Outcome == dedupe.Done {
				return v
			}
			next, v := dedupe.Step(s.rows[op.Key], now, op)
			stale[op.Key], s.rows[op.Key] = s.rows[op.Key], next
			return v
		})
	},
	"the answer comes before the write": func() dedupe.Store {
		s := rows{rows: map[dedupe.Key]dedupe.Row{}}
		return storeFunc(func(op dedupe.Op) dedupe.Verdict {
			s.mu.Lock()
			defer s.mu.Unlock()
			next, v := dedupe.Step(s.rows[op.Key], dedupe.MillisOf(time.Now()), op)
			if op.Kind == dedupe.OpComplete {
				time.AfterFunc(time.Millisecond, func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.rows[op.Key] = next
				})
				return v
			}
			s.rows[op.Key] = next
			return v
		})
	},
	"the clock is 5 ms ahead": func() dedupe.Store {
		return stepping(func(_ *dedupe.Row, now *dedupe.Millis, _ *dedupe.Op) { *now += 5 })
	},
	"retention ends a live lease": func() dedupe.Store {
		return stepping(func(r *dedupe.Row, now *dedupe.Millis, _ *dedupe.Op) {
			if r.State == dedupe.Processing && *now >= r.RetainEnd {
				*r = dedupe.Row{}
			}
		})
	},
	"an extend shortens the lease": func() dedupe.Store {
		return stepping(func(r *dedupe.Row, _ *dedupe.Millis, op *dedupe.Op) {
			if op.Kind == dedupe.OpExtend && r.State == dedupe.Processing && r.Owner == op.Owner {
				r.LeaseEnd = op.LeaseEnd
			}
		})
	},
	"a claim is applied twice": func() dedupe.Store {
		return stepping(func(r *dedupe.Row, now *dedupe.Millis, op *dedupe.Op) {
			if op.Kind == dedupe.OpClaim && r.Owner != op.Owner {
				*r, _ = dedupe.Step(*r, *now, *op)
			}
		})
	},
}

// Stores that are not linearizable are found out.
func TestBroken(t *testing.T) {
	for name, broken := range brokenStores {
		t.Run(name, func(t *testing.T) {
			l := load
			for round := range 200 {
				l.Name = rand.Text()
				r := l.Run(t.Context(), broken()).Check(checkTime)
				if r.Illegal != "" {
					t.Logf("found in round %d: a history of %d operations\n%s", round+1, len(r.History), strings.Join(r.History, "\n"))
					figures.Attr(t, figures.Mistake{Mistake: name, Found: true})
					return
				}
			}
			figures.Attr(t, figures.Mistake{Mistake: name})
			t.Error("not found in 200 rounds")
		})
	}
}

// The store that the broken ones are made of is linearizable.
func TestUnbroken(t *testing.T) {
	linearizable(t, "Step under a lock", stepping(func(*dedupe.Row, *dedupe.Millis, *dedupe.Op) {}), *rounds, load, nil)
}

// Only a history that some order explains counts as one that was linearized.
func TestCountsWhatWasExplained(t *testing.T) {
	sound := stepping(func(*dedupe.Row, *dedupe.Millis, *dedupe.Op) {})
	s := storeFunc(func(op dedupe.Op) dedupe.Verdict {
		if op.Key == "forgotten" {
			_, v := dedupe.Step(dedupe.Row{}, dedupe.MillisOf(time.Now()), op)
			return v
		}
		return sound(op)
	})
	h := linear.NewHistory()
	end := dedupe.MillisOf(time.Now()).Add(time.Hour)
	for _, key := range []dedupe.Key{"forgotten", "kept"} {
		for owner := range byte(3) {
			h.Apply(t.Context(), 0, s, []dedupe.Op{{Kind: dedupe.OpClaim, Key: key, Owner: dedupe.Owner{owner + 1}, LeaseEnd: end, RetainEnd: end}})
		}
	}
	if r := h.Check(checkTime); r.Illegal != "forgotten" || r.Keys != 1 || r.Operations != 3 {
		t.Errorf("got %d keys and %d operations, %q illegal; want one of three operations, and the forgotten key illegal", r.Keys, r.Operations, r.Illegal)
	}
}
