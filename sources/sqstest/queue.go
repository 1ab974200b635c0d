package sqstest

import (
	"container/list"
	"time"
)

// queue is one queue. Every message is in messages and in ages; it is in
// timers while it is delayed or in flight. A standard queue keeps its visible
// messages in visible, a FIFO queue keeps all of them in groups.
type queue struct {
	name     string
	settings settings
	created  time.Time
	modified time.Time
	purged   time.Time

	messages map[uint64]*message
	timers   timeHeap
	ages     timeHeap
	counts   [3]int
	visible  *list.List
	fifo     fifo

	// changed exists while somebody waits for the queue.
	changed chan struct{}
}

func newQueue(name string, set settings, now time.Time) *queue {
	q := &queue{name: name, settings: set, created: now, modified: now}
	q.clear()
	return q
}

// clear drops all messages. What FIFO queues remember about deduplication
// outlives the messages.
func (q *queue) clear() {
	q.messages = map[uint64]*message{}
	q.timers = timeHeap{key: (*message).wakes, index: func(m *message) *int { return &m.timerIndex }}
	q.ages = timeHeap{key: (*message).born, index: func(m *message) *int { return &m.ageIndex }}
	q.counts = [3]int{}
	q.visible = list.New()
	q.fifo.clear()
}

// add puts a new message into the queue, hidden until its delay is over.
func (q *queue) add(m *message, now time.Time, delay time.Duration) {
	m.state, m.visibleAt = stateDelayed, now.Add(delay)
	m.timerIndex = -1
	q.messages[m.key] = m
	q.ages.push(m)
	q.counts[m.state]++
	if q.settings.fifo {
		q.fifo.add(m)
	}
	if delay > 0 {
		q.timers.push(m)
	} else {
		q.show(m)
	}
	q.notify()
}

// remove takes a message out of the queue.
func (q *queue) remove(m *message) {
	delete(q.messages, m.key)
	q.ages.remove(m)
	q.timers.remove(m)
	q.counts[m.state]--
	m.version++
	if q.settings.fifo {
		q.fifo.remove(m)
	} else if m.place != nil {
		q.visible.Remove(m.place)
		m.place = nil
	}
	q.notify()
}

// show makes a message available.
func (q *queue) show(m *message) {
	q.timers.remove(m)
	q.setState(m, stateVisible)
	if !q.settings.fifo {
		m.place = q.visible.PushBack(m)
	}
}

// hide puts a message in flight until the given time.
func (q *queue) hide(m *message, until time.Time) {
	q.timers.remove(m)
	m.visibleAt = until
	q.timers.push(m)
	q.setState(m, stateInFlight)
	if m.place != nil && !q.settings.fifo {
		q.visible.Remove(m.place)
		m.place = nil
	}
	q.notify()
}

func (q *queue) setState(m *message, to state) {
	from := m.state
	q.counts[from]--
	q.counts[to]++
	m.state = to
	if q.settings.fifo {
		q.fifo.changed(m, from)
	}
}

// expire brings the queue up to now: delays and visibility timeouts that are
// over, and messages that are too old.
func (s *Server) expire(q *queue, now time.Time) {
	for m := q.timers.first(); m != nil && !m.visibleAt.After(now); m = q.timers.first() {
		if m.extra && m.state == stateInFlight {
			q.remove(m)
			continue
		}
		q.show(m)
	}
	for m := q.ages.first(); m != nil && !m.sent.Add(q.settings.retention).After(now); m = q.ages.first() {
		q.remove(m)
		if !m.extra {
			s.history.add(Event{Time: now, Op: OpExpire, Queue: q.name, MessageIDs: []string{m.id}})
		}
	}
	q.fifo.forget(now)
}

// notify wakes everybody who waits for the queue. They try again in turn;
// those who find nothing wait again.
func (q *queue) notify() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// wait returns a channel that closes at the next change.
func (q *queue) wait() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}
