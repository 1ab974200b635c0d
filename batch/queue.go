package batch

import (
	"sync"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// item is a place that may run.
type item struct {
	place  *place
	ticket *dedupe.Ticket // nil: its worker claims it
	anew   bool           // its worker claims it again
}

// queue holds what may run, for the workers of one run.
type queue struct {
	mu      sync.Mutex
	items   []item
	head    int
	workers int  // alive
	rising  bool // a worker was started and has not taken anything yet
	low     bool // the loop was told that the queue is short
}

func (q *queue) push(it item) {
	q.mu.Lock()
	q.items = append(q.items, it)
	q.low = false
	q.mu.Unlock()
}

// pop takes the first item. more says that others wait and nobody is on the
// way to them; short says, once, that fewer than least are left.
func (q *queue) pop(least int) (it item, ok, more, short bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it, ok = q.take()
	if left := len(q.items) - q.head; !q.low && left < least {
		q.low, short = true, true
	}
	return it, ok, q.head < len(q.items) && !q.rising, short
}

// first takes the first item for a worker that begins.
func (q *queue) first() (it item, ok, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rising = false
	it, ok = q.take()
	return it, ok, q.head < len(q.items)
}

// take removes the first item. From now on its place is its worker's: q.mu,
// which is held, keeps the loop from giving it up at the same time.
func (q *queue) take() (item, bool) {
	if q.head == len(q.items) {
		return item{}, false
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	it.place.holds.Store(true)
	return it, true
}

// drop removes the places behind the one of that number that no worker has
// taken.
func (q *queue) drop(behind int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.items[:0]
	for _, it := range q.items[q.head:] {
		if it.place.number <= behind {
			kept = append(kept, it)
		}
	}
	clear(q.items[len(kept):])
	q.items, q.head = kept, 0
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head
}

// wantsWorker reports whether items wait and nobody is on the way to them.
func (q *queue) wantsWorker() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head < len(q.items) && !q.rising
}

// idle reports whether there is nothing to run and nobody who runs.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head == len(q.items) && q.workers == 0
}

// starting counts a worker that is about to begin.
func (q *queue) starting() {
	q.mu.Lock()
	q.workers++
	q.rising = true
	q.mu.Unlock()
}

// ended counts a worker that has come to its end.
func (q *queue) ended() {
	q.mu.Lock()
	q.workers--
	q.mu.Unlock()
}
