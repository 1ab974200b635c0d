package sqstest

import (
	"container/list"
	"time"
)

// remembered is how long a FIFO queue knows a deduplication id, and a receive
// request attempt.
const remembered = 5 * time.Minute

// fifo is the part of a queue that only FIFO queues use.
type fifo struct {
	groups map[string]*group
	// ready holds the groups that can be received from. A group goes to the
	// back when it becomes ready, so that no group starves the others.
	ready *list.List

	// The orders hold the keys of the maps by age, for forget.
	dedup        map[string]accepted
	dedupOrder   []accepted
	attempts     map[string]attempt
	attemptOrder []string
}

// group is one message group: all its undeleted messages in order.
type group struct {
	name     string
	messages *list.List
	inFlight int
	place    *list.Element
}

// accepted is a send that duplicates within five minutes are answered with.
type accepted struct {
	key string
	id  string
	seq string
	at  time.Time
}

// attempt is a receive that the same ReceiveRequestAttemptId repeats.
type attempt struct {
	at       time.Time
	messages []*message
	versions []int
}

func (f *fifo) clear() {
	f.groups = map[string]*group{}
	f.ready = list.New()
	f.attempts, f.attemptOrder = map[string]attempt{}, nil
	if f.dedup == nil {
		f.dedup = map[string]accepted{}
	}
}

func (f *fifo) add(m *message) {
	g := f.groups[m.group]
	if g == nil {
		g = &group{name: m.group, messages: list.New()}
		f.groups[m.group] = g
	}
	m.place = g.messages.PushBack(m)
	f.refresh(g)
}

func (f *fifo) remove(m *message) {
	g := f.groups[m.group]
	if m.state == stateInFlight {
		g.inFlight--
	}
	g.messages.Remove(m.place)
	m.place = nil
	f.refresh(g)
	if g.messages.Len() == 0 {
		delete(f.groups, g.name)
	}
}

// changed follows a change of a message's state.
func (f *fifo) changed(m *message, from state) {
	g := f.groups[m.group]
	if from == stateInFlight {
		g.inFlight--
	}
	if m.state == stateInFlight {
		g.inFlight++
	}
	f.refresh(g)
}

// refresh puts a group among the ready ones or takes it out. One message in
// flight blocks all of its group.
func (f *fifo) refresh(g *group) {
	first := g.messages.Front()
	ready := g.inFlight == 0 && first != nil && messageOf(first).state == stateVisible
	switch {
	case ready && g.place == nil:
		g.place = f.ready.PushBack(g)
	case !ready && g.place != nil:
		f.ready.Remove(g.place)
		g.place = nil
	}
}

// available returns up to n messages of the first ready group, in order.
func (f *fifo) available(n int) []*message {
	front := f.ready.Front()
	if front == nil {
		return nil
	}
	var out []*message
	g, _ := front.Value.(*group)
	for e := g.messages.Front(); e != nil && len(out) < n; e = e.Next() {
		m := messageOf(e)
		if m.state != stateVisible {
			break
		}
		out = append(out, m)
	}
	return out
}

// accept remembers a send under its deduplication key.
func (f *fifo) accept(a accepted) {
	f.dedup[a.key] = a
	f.dedupOrder = append(f.dedupOrder, a)
}

// forget drops what is older than five minutes.
func (f *fifo) forget(now time.Time) {
	n := 0
	for n < len(f.dedupOrder) && now.Sub(f.dedupOrder[n].at) >= remembered {
		delete(f.dedup, f.dedupOrder[n].key)
		n++
	}
	f.dedupOrder = f.dedupOrder[n:]
	n = 0
	for n < len(f.attemptOrder) {
		if a, ok := f.attempts[f.attemptOrder[n]]; ok && now.Sub(a.at) < remembered {
			break
		}
		delete(f.attempts, f.attemptOrder[n])
		n++
	}
	f.attemptOrder = f.attemptOrder[n:]
}

// repeat returns the messages of an earlier receive with the same attempt id,
// nil when any of them was changed since.
func (f *fifo) repeat(id string) []*message {
	a, ok := f.attempts[id]
	if !ok {
		return nil
	}
	for i, m := range a.messages {
		if m.version != a.versions[i] || m.state != stateInFlight {
			return nil
		}
	}
	return a.messages
}

func (f *fifo) attempted(id string, msgs []*message, now time.Time) {
	a := attempt{at: now, messages: msgs}
	for _, m := range msgs {
		a.versions = append(a.versions, m.version)
	}
	f.attempts[id] = a
	f.attemptOrder = append(f.attemptOrder, id)
}
