package memdedupe

import "github.com/onlyonce-go/onlyonce/dedupe"

// sweep looks at the next n slots and removes the rows that have expired. A
// walk that has come round has seen every row, so due moves to the earliest
// expiry it met: until then calls do not sweep at all.
func (s *Store) sweep(now dedupe.Millis, n int) {
	for ; n > 0; n-- {
		if s.next >= len(s.ring) {
			s.next, s.due, s.round = 0, s.round, never
			if now < s.due || len(s.ring) == 0 {
				return
			}
		}
		at := &s.ring[s.next]
		if now >= at.expiry {
			s.remove(at.entry) // the last slot comes here: do not move on
			continue
		}
		s.round = min(s.round, at.expiry)
		s.next++
	}
}

// remove drops e and fills its slot with the last one.
func (s *Store) remove(e *entry) {
	delete(s.rows, e.key)
	if len(s.rows) == 0 { // a map never shrinks: start again with a small one
		s.rows, s.ring, s.next = nil, nil, 0
		s.due, s.round = 0, 0
		return
	}
	last := len(s.ring) - 1
	s.ring[e.at] = s.ring[last]
	s.ring[e.at].entry.at = e.at
	s.ring[last] = slot{}
	s.ring = s.ring[:last]
}
