package sqssource

import (
	"context"
	"sync"
	"time"
)

// linger is how long a receive waits for more free slots, so that it brings
// more than one message, once it could have some.
const linger = 3 * time.Millisecond

// Slots are the handler slots of one or several pollers of a process. Pollers
// that share Slots share them fairly: a free slot goes to the one that has the
// fewest. It is safe for concurrent use.
type Slots struct {
	mu      sync.Mutex
	total   int
	free    int
	seats   int    // pollers that run
	waiting []*ask // in the order in which they came
}

// NewSlots returns n slots: n handlers run at once. It panics when n is not
// positive.
func NewSlots(n int) *Slots {
	if n <= 0 {
		panic("sqssource: NewSlots needs a positive number")
	}
	return &Slots{total: n, free: n}
}

// seat is one poller's part in its Slots.
type seat struct {
	s    *Slots
	held int // guarded by s.mu
}

// ask is a wait for slots.
type ask struct {
	seat   *seat
	most   int
	got    chan int    // has room for one
	timer  *time.Timer // runs once it could have some
	hasted bool        // the timer has run
}

func (s *Slots) sit() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seats++
	return &seat{s: s}
}

func (t *seat) rise() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.seats--
}

// shared reports whether other pollers run on the same slots.
func (t *seat) shared() bool {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.seats > 1
}

// take waits for slots and takes between one and most of them. It returns 0
// when ctx ended first.
func (t *seat) take(ctx context.Context, most int) int {
	s := t.s
	s.mu.Lock()
	if len(s.waiting) == 0 && (s.free >= most || s.free > 0 && t.held == 0) {
		n := min(most, s.free)
		s.free -= n
		t.held += n
		s.mu.Unlock()
		return n
	}
	a := &ask{seat: t, most: most, got: make(chan int, 1)}
	s.waiting = append(s.waiting, a)
	s.grant()
	s.mu.Unlock()
	select {
	case n := <-a.got:
		return n
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case n := <-a.got: // at the same time
		t.held -= n
		s.free += n
	default:
		s.remove(a)
	}
	s.grant()
	return 0
}

// put gives n slots back.
func (t *seat) put(n int) {
	if n == 0 {
		return
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.held -= n
	t.s.free += n
	t.s.grant()
}

// grant hands out free slots. s.mu is held.
func (s *Slots) grant() {
	for s.free > 0 && len(s.waiting) > 0 {
		a := s.waiting[0]
		for _, b := range s.waiting[1:] {
			if b.seat.held < a.seat.held {
				a = b
			}
		}
		if s.free < a.most && !a.hasted && a.seat.held > 0 {
			if a.timer == nil {
				a.timer = time.AfterFunc(linger, func() { s.hasten(a) })
			}
			return
		}
		n := min(a.most, s.free)
		s.free -= n
		a.seat.held += n
		s.remove(a)
		a.got <- n
	}
}

// hasten ends an ask's wait for more.
func (s *Slots) hasten(a *ask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.hasted = true
	s.grant()
}

func (s *Slots) remove(a *ask) {
	for i, b := range s.waiting {
		if a == b {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			break
		}
	}
	if a.timer != nil {
		a.timer.Stop()
	}
}
