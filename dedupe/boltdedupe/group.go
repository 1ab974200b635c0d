package boltdedupe

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// group is one call's operations on their way through the queue.
type group struct {
	ops      []dedupe.Op
	verdicts []dedupe.Verdict
	err      error
	wake     chan signal // one signal at most, so sending never blocks
}

// signal ends a group's wait.
type signal int

const (
	lead signal = iota // write the queue, which begins with this group
	done               // the answer is there
)

// maxOps bounds what one transaction applies: what a caller waits for.
const maxOps = 2000

// newGroup copies ops, which outlive a caller that stops waiting.
func newGroup(ops []dedupe.Op) *group {
	g := &group{
		ops:      slices.Clone(ops),
		verdicts: make([]dedupe.Verdict, len(ops)),
		wake:     make(chan signal, 1),
	}
	for i := range g.ops {
		g.ops[i].Result = bytes.Clone(g.ops[i].Result)
	}
	return g
}

// write queues g and returns its answer. The first to come while nobody
// writes leads: it writes the queue in one transaction and then tells the
// head of the queue that grew meanwhile to lead. So each caller writes once
// at most, calls that wait share the next transaction, and no goroutine
// stands by.
func (s *Store) write(ctx context.Context, g *group) ([]dedupe.Verdict, error) {
	s.mu.Lock()
	s.queue = append(s.queue, g)
	follow := s.leading
	s.leading = true
	s.mu.Unlock()

	if follow {
		select {
		case sig := <-g.wake:
			if sig == done {
				return g.verdicts, g.err
			}
		case <-ctx.Done():
			s.withdraw(g)
			return nil, fmt.Errorf("boltdedupe: apply: %w", ctx.Err())
		}
	}
	s.writeQueue()
	return g.verdicts, g.err
}

// writeQueue writes the head of the queue, wakes its callers and passes the
// lead on. The caller leads and stands at the head.
func (s *Store) writeQueue() {
	batch, err := s.take()
	if err == nil {
		err = s.commit(batch)
	}
	for _, g := range batch {
		g.err = err
		g.wake <- done // the leader does not read its own
	}
	s.mu.Lock()
	s.passLead()
	s.mu.Unlock()
}

// take removes the groups of one transaction from the queue, with an error
// when the store failed since they came. Callers that the transaction before
// has just answered are about to come back with their next group: letting
// them run first, while they keep coming, is what makes them share this one,
// and costs a lone caller nothing.
func (s *Store) take() ([]*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for waiting := 0; waiting < len(s.queue); {
		waiting = len(s.queue)
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	n, ops := 0, 0
	for n < len(s.queue) && (n == 0 || ops+len(s.queue[n].ops) <= maxOps) {
		ops += len(s.queue[n].ops)
		n++
	}
	batch := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	return batch, s.failed
}

// withdraw takes g out of the queue if nobody writes it yet, and passes on the
// lead if g was just told to. s.mu is not held.
func (s *Store) withdraw(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, g)
	if i < 0 {
		return // being written, or was
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	if len(g.wake) > 0 { // signals to a queued group are sent under s.mu
		s.passLead()
	}
}

// passLead tells the head of the queue to lead, if there is one. s.mu is held.
func (s *Store) passLead() {
	s.leading = len(s.queue) > 0
	if s.leading {
		s.queue[0].wake <- lead
	}
}
