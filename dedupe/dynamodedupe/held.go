package dynamodedupe

import (
	"sync"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// maxHeld bounds the rows that are remembered.
const maxHeld = 10_000

// held remembers the rows that this Store's callers are processing, so that
// the end of a claim is one write and no read. It holds guesses only: what is
// wrong here makes a write fail and costs a read.
type held struct {
	mu   sync.Mutex
	rows map[dedupe.Key]dedupe.Row
}

func (h *held) row(key dedupe.Key) (dedupe.Row, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.rows[key]
	return r, ok
}

// note takes what a verdict says of key's row.
func (h *held) note(key dedupe.Key, v *dedupe.Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.rows[key]
	mine := v.Outcome == dedupe.Won || v.Outcome == dedupe.Applied
	if v.Row.State != dedupe.Processing || !mine && (!known || old.Owner != v.Row.Owner) {
		delete(h.rows, key)
		return
	}
	if h.rows == nil {
		h.rows = make(map[dedupe.Key]dedupe.Row)
	}
	if !known && len(h.rows) >= maxHeld { // claims that were abandoned add up
		for some := range h.rows {
			delete(h.rows, some)
			break
		}
	}
	h.rows[key] = v.Row
}
