package sqssource

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

const (
	// longestInvisible counts from the receive and ends all extending
	// (Amazon SQS visibility timeout).
	longestInvisible = 12 * time.Hour

	// beatsAhead is the part of the visibility timeout by which a heartbeat
	// may come early, to share a request.
	beatsAhead = 8

	heartbeatsAtOnce = 4

	// leastBeatTimeout is the least time for a heartbeat, which else has a
	// third of what is left: a request that is never answered leaves time for
	// another.
	leastBeatTimeout = 500 * time.Millisecond
)

// seconds returns d in whole seconds, rounded up, within what SQS still
// allows for the message.
func (m *message) seconds(now time.Time, d time.Duration) int32 {
	most := longestInvisible - now.Sub(m.received) - time.Second
	return int32(math.Ceil(max(min(d, most), 0).Seconds()))
}

// keep makes m a message that was received at now: its visibility timeout runs
// from there, and is extended from its half on. r.mu is held.
func (r *run) keep(m *message, now time.Time) {
	m.received = now
	m.deadline = deadline(now, r.visibility)
	r.beatAt(m, now.Add(r.visibility/2))
}

// deadline returns until when a message is taken for invisible whose visibility
// timeout of d began at that time: a little before its end, since a message was
// received before its answer was there, and a last heartbeat takes its time to
// fail.
func deadline(began time.Time, d time.Duration) time.Time {
	return began.Add(d - min(time.Second, d/10))
}

// beatAt sets m's next heartbeat. r.mu is held.
func (r *run) beatAt(m *message, at time.Time) {
	m.beat = at
	if m.place < 0 {
		heap.Push(&r.beats, m)
	} else {
		heap.Fix(&r.beats, m.place)
	}
	if r.nextBeat.IsZero() || at.Before(r.nextBeat) {
		select {
		case r.wakeHeart <- struct{}{}:
		default:
		}
	}
}

// stopBeats ends m's heartbeats. r.mu is held.
func (r *run) stopBeats(m *message) {
	if m.place >= 0 {
		heap.Remove(&r.beats, m.place)
	}
}

// heart extends visibility timeouts until ctx ends.
func (r *run) heart(ctx context.Context) {
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.wakeHeart:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		now := time.Now()
		due := r.due(now) //nolint:contextcheck // EndHandler ends contexts, and has none
		r.nextBeat = time.Time{}
		if len(r.beats) > 0 {
			r.nextBeat = r.beats[0].beat
			timer.Reset(r.nextBeat.Sub(now))
		}
		r.unlock()
		for len(due) > 0 {
			n := min(len(due), mostMessages)
			batch := due[:n:n]
			due = due[n:]
			r.wires.Go(func() { //nolint:contextcheck // a heartbeat under way is finished: its context is the run's
				r.hearts <- struct{}{}
				defer func() { <-r.hearts }()
				r.extend(batch)
			})
		}
	}
}

// due takes the messages whose heartbeat is due from the heap, and with the
// first one also those that are soon. r.mu is held.
func (r *run) due(now time.Time) []*message {
	if len(r.beats) == 0 || r.beats[0].beat.After(now) {
		return nil
	}
	soon := now.Add(r.visibility / beatsAhead)
	var due []*message
	for len(r.beats) > 0 && !r.beats[0].beat.After(soon) {
		m := r.beats[0]
		switch {
		case m.wire: // its action is on the way; if that fails, it is retried or too late
			r.beatAt(m, soon.Add(time.Millisecond))
		case m.seconds(now, r.visibility) < 1:
			r.loseVisibility(m, errors.New("it has been invisible for 12 hours, the most that SQS allows"))
		default:
			heap.Pop(&r.beats)
			m.wire = true
			due = append(due, m)
		}
	}
	return due
}

// extend extends the visibility timeouts of up to ten messages.
func (r *run) extend(batch []*message) {
	began := time.Now()
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(batch))
	first := batch[0].deadline
	r.mu.Lock()
	for i, m := range batch {
		handle := m.handle
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &handle, VisibilityTimeout: m.seconds(began, r.visibility),
		}
		if m.deadline.Before(first) {
			first = m.deadline
		}
	}
	r.unlock()
	ctx, cancel := context.WithTimeout(r.wireCtx, min(actionTimeout, max(time.Until(first)/3, leastBeatTimeout)))
	defer cancel()
	refused, err := r.changeVisibility(ctx, entries)
	if fatal(err) {
		r.fail(&QueueError{URL: r.p.url, Op: "ChangeMessageVisibilityBatch", Err: err})
	}
	codes := codesOf(refused, len(batch))
	r.mu.Lock()
	defer r.unlock()
	now := time.Now()
	for i, m := range batch {
		m.wire = false
		if r.here[m.id] != m {
			continue
		}
		why := err
		if why == nil && codes[i] != "" {
			why = errors.New(codes[i])
		}
		switch {
		case *entries[i].ReceiptHandle != m.handle: // it came again, and keep saw to it
		case why == nil:
			m.deadline = deadline(began, time.Duration(entries[i].VisibilityTimeout)*time.Second)
			r.beatAt(m, began.Add(min(r.visibility/2, m.deadline.Sub(began)))) // the last one is cut short
		case stale(codes[i]), !now.Before(m.deadline):
			r.loseVisibility(m, why)
		default:
			left := m.deadline.Sub(now)
			r.beatAt(m, now.Add(min(max(left/3, 50*time.Millisecond), left)))
		}
		if a := m.then; a != nil {
			m.then = nil
			r.act(a)
		}
	}
}

// loseVisibility notes that others may receive m now. r.mu is held.
func (r *run) loseVisibility(m *message, why error) {
	r.stopBeats(m)
	if m.lost || m.finished {
		return
	}
	m.lost = true
	for _, ctx := range m.ctxs {
		dedupe.EndHandler(ctx, ErrVisibilityLost)
	}
	r.tell(consumer.VisibilityLost{Record: m.rec, Err: why})
}

// beats is a heap of messages by their next heartbeat.
type beats []*message

func (b beats) Len() int           { return len(b) }
func (b beats) Less(i, j int) bool { return b[i].beat.Before(b[j].beat) }
func (b beats) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}

// Push adds a *message; see [heap.Interface].
func (b *beats) Push(x any) {
	m, ok := x.(*message)
	if !ok {
		panic("sqssource: a beat of something that is no message")
	}
	m.place = len(*b)
	*b = append(*b, m)
}

// Pop removes the last; see [heap.Interface].
func (b *beats) Pop() any {
	old := *b
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*b = old[:len(old)-1]
	m.place = -1
	return m
}
