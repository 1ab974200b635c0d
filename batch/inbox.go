package batch

import (
	"sync"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

type noteKind uint8

const (
	settled  noteKind = iota + 1 // a place has its outcome
	again                        // a place's twin was not started
	admitted                     // claims were answered
	left                         // a worker is through with a place
	wakeUp                       // a worker ended, or the queue is short
)

// note is what other goroutines have to tell a run's loop.
type note struct {
	kind    noteKind
	place   int // of the first one, for admitted
	err     error
	tickets []dedupe.Ticket
	ahead   bool // admitted ahead of the handlers, not by a worker
}

// inbox holds the notes for a run's loop. Posting never blocks.
type inbox struct {
	mu     sync.Mutex
	notes  []note
	spare  []note
	asleep bool
	wake   chan struct{} // has room for one; made when the loop first rests
}

func (b *inbox) post(n note) {
	b.mu.Lock()
	b.notes = append(b.notes, n)
	asleep := b.asleep
	b.asleep = false
	b.mu.Unlock()
	if asleep {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// take returns the notes that were left; they are valid until the next take.
func (b *inbox) take() []note {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.notes) == 0 {
		return nil
	}
	taken := b.notes
	clear(b.spare)
	b.notes, b.spare = b.spare[:0], taken
	return taken
}

// rest reports whether the loop may wait for wake: there are no notes.
func (b *inbox) rest() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asleep = len(b.notes) == 0
	if b.asleep && b.wake == nil {
		b.wake = make(chan struct{}, 1)
	}
	return b.asleep
}
