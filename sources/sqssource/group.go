package sqssource

import (
	"errors"
	"slices"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// group is a message group of which messages are in this process: of a FIFO
// queue, where one turn of them runs at a time, in order; or a tenant of a
// standard queue, of whom so many run at once. Guarded by run.mu.
type group struct {
	id      string
	running int        // messages of the turn that have no outcome yet
	waiting []*message // received since, or not started
	failed  *message   // where the turn stopped
	err     error      // why
	fresh   bool       // made by the receive that is being started
}

const (
	// longestHold is how long a failed message of a FIFO queue is waited for
	// in this process. A longer wait gives its group back.
	longestHold = 10 * time.Second

	// leastHold keeps a handler from spinning that always asks for no wait.
	leastHold = 100 * time.Millisecond
)

// admit sorts newly received messages by group and returns those that start
// now, and how many slots they take. r.mu is held.
func (r *run) admit(ms []*message) (batch []*message, slots int) {
	var made []*group
	for _, m := range ms {
		id := m.rec.Group
		if id == "" && !r.fifo {
			batch = append(batch, m)
			slots++
			continue
		}
		g := r.groups[id]
		if g == nil {
			g = &group{id: id, fresh: true}
			r.groups[id] = g
			made = append(made, g)
			if r.fifo {
				slots++
			}
		}
		m.group = g
		switch {
		case r.fifo && !g.fresh, !r.fifo && g.running >= r.p.o.TenantLimit:
			g.waiting = append(g.waiting, m)
			continue
		case !r.fifo:
			slots++
		}
		g.running++
		batch = append(batch, m)
	}
	for _, g := range made {
		g.fresh = false
	}
	if r.fifo {
		slices.SortStableFunc(batch, inOrder)
	}
	return batch, slots
}

// groupOutcome acts on the outcome of a message of a group and returns how
// many slots are free with it. r.mu is held.
func (r *run) groupOutcome(g *group, m *message, err error) int {
	g.running--
	if !r.fifo {
		r.settle(m, err)
		return r.nextOfTenant(g)
	}
	switch {
	case err == nil:
		r.settle(m, nil)
	case notStarted(err), g.failed != nil && inOrder(g.failed, m) < 0:
		g.waiting = append(g.waiting, m)
	default: // several may fail without a run; the first decides
		if g.failed != nil {
			g.waiting = append(g.waiting, g.failed)
		}
		g.failed, g.err = m, err
	}
	if g.running > 0 {
		return 0
	}
	return r.turn(g)
}

// nextOfTenant starts the tenant's next message, in the slot of the one that
// ended, and returns how many slots are free. r.mu is held.
func (r *run) nextOfTenant(g *group) int {
	for len(g.waiting) > 0 {
		m := g.waiting[0]
		g.waiting = g.waiting[1:]
		switch {
		case m.lost:
			r.gone(m, unsettled)
		case r.stopping:
			r.release(m)
		default:
			g.running++
			r.works.Go(func() { r.process([]*message{m}) })
			return 0
		}
	}
	if g.running == 0 {
		delete(r.groups, g.id)
	}
	return 1
}

// turn decides how a group of a FIFO queue goes on whose turn has ended, and
// returns how many slots are free with it. r.mu is held.
func (r *run) turn(g *group) int {
	r.dropLost(g)
	m := g.failed
	switch {
	case m == nil && len(g.waiting) == 0:
		delete(r.groups, g.id)
	case m != nil && (r.hopeless(g.err) || r.lastTry(m, g.err)):
		r.works.Go(func() {
			if r.bury(m, g.err) {
				r.goOn(g, 0)
			}
		})
	case r.stopping:
		r.disband(g)
	case m == nil:
		r.works.Go(func() { r.goOn(g, 0) })
	case storeError(g.err) && !m.lost: // its turn goes on, with it alone, when the store is back
		g.failed, g.running = nil, 1
		r.hold(m, g.err)
		return 0
	default:
		r.holdGroup(g)
	}
	return 1
}

// holdGroup lets a group wait for its failed message's next turn, or gives it back.
// r.mu is held.
func (r *run) holdGroup(g *group) {
	m := g.failed
	after := r.delay(m, g.err)
	if r.stopping || after > longestHold && !r.lastReceive(m) {
		r.disband(g)
		return
	}
	r.tell(consumer.Returned{Record: m.rec, After: after, Err: g.err})
	g.waiting = append(g.waiting, m)
	g.failed = nil
	m.failed, m.due = true, time.Now().Add(after)
	m.failures++
	r.works.Go(func() { r.goOn(g, max(after, leastHold)) })
}

// goOn begins the group's next turn after some time.
func (r *run) goOn(g *group, after time.Duration) {
	pause.For(r.ctx, after)
	n := r.seat.insist(r.ctx)
	r.mu.Lock()
	r.dropLost(g)
	if n == 0 || r.stopping || len(g.waiting) == 0 {
		r.turn(g)
		r.unlock()
		r.seat.put(n)
		return
	}
	ms := g.waiting
	slices.SortStableFunc(ms, inOrder)
	g.waiting, g.running = nil, len(ms)
	r.unlock()
	r.process(ms)
}

// disband gives a whole group back to its FIFO queue. The others first: none
// of them is received before the failed one is visible, which is in front of
// them. r.mu is held.
func (r *run) disband(g *group) {
	slices.SortStableFunc(g.waiting, inOrder)
	for _, m := range slices.Backward(g.waiting) {
		m.group = nil
		r.release(m)
	}
	if m := g.failed; m != nil {
		m.group = nil
		r.giveBack(m, g.err)
	}
	delete(r.groups, g.id)
}

// dropLost gives up the waiting messages that others may have received. What
// stands behind such a message must not run before it. r.mu is held.
func (r *run) dropLost(g *group) {
	if !slices.ContainsFunc(g.waiting, func(m *message) bool { return m.lost }) {
		return
	}
	for _, m := range g.waiting {
		if m.lost {
			r.gone(m, unsettled)
		} else {
			r.release(m)
		}
	}
	g.waiting = nil
}

// lastReceive reports whether SQS would move m to the dead-letter queue
// instead of delivering it again.
func (r *run) lastReceive(m *message) bool {
	return r.deadLetters != "" && r.maxReceives > 0 && m.attempt >= r.maxReceives
}

// lastTry reports whether m has failed as often as its queue allows. On a FIFO
// queue the poller then moves it to the dead-letter queue by itself: held in
// the process it is not received again, and giving it back would take those
// behind it there as well, which have been received as often and were never
// run. That the store is down or another worker has the message is no try.
func (r *run) lastTry(m *message, err error) bool {
	switch {
	case r.deadLetters == "", r.maxReceives == 0, storeError(err), errors.Is(err, dedupe.ErrInProgress):
		return false
	case m.ran: // the guard's count, or since it came
		return m.failures+1 >= r.maxReceives
	}
	return m.attempt+m.failures >= r.maxReceives
}
