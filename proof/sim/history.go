package sim

import (
	"context"
	"sync"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/proof/linear"
)

// mostOpen is how many operations on one key may have stayed undecided for its
// history to be checked: each of them may have been applied at any time since.
const mostOpen = 16

// witness keeps the history of a store.
type witness struct {
	*linear.History

	mu   sync.Mutex
	open map[dedupe.Key]int // operations that stayed undecided
}

func newWitness() *witness {
	h := linear.NewHistory()
	h.Copies = true
	return &witness{History: h, open: map[dedupe.Key]int{}}
}

// tooOpen reports whether so much stayed undecided about a key that its
// history says nothing, and takes forever to say it.
func (w *witness) tooOpen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.open {
		if n > mostOpen {
			return true
		}
	}
	return false
}

// witnessed is a store of which a history is kept.
type witnessed struct {
	dedupe.Store
	witness *witness
	caller  int
}

// Apply implements [dedupe.Store].
func (s witnessed) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	one := &heard{Store: s.Store}
	verdicts := s.witness.Apply(ctx, s.caller, one, ops)
	s.witness.mu.Lock()
	defer s.witness.mu.Unlock()
	for i, op := range ops {
		if one.err != nil || verdicts[i].Outcome == dedupe.Undecided {
			s.witness.open[op.Key]++
		}
	}
	return verdicts, one.err
}

// heard keeps the error of one call.
type heard struct {
	dedupe.Store
	err error
}

// Apply implements [dedupe.Store].
func (h *heard) Apply(ctx context.Context, ops []dedupe.Op) (vs []dedupe.Verdict, err error) {
	vs, h.err = h.Store.Apply(ctx, ops)
	return vs, h.err
}
