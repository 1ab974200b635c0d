package sqstest

import (
	"slices"
	"time"
)

// Stats counts the messages of a queue. Surplus deliveries that the Duplicate
// and Redeliver faults have pending are counted.
type Stats struct {
	Visible  int // messages that a receive can return
	InFlight int // messages that were received and whose visibility timeout runs
	Delayed  int // messages that nobody has received because their delay runs
}

// Total is the number of messages in the queue.
func (s Stats) Total() int { return s.Visible + s.InFlight + s.Delayed }

// Stats returns the counts of a queue at this moment. It panics when there is
// no queue of that name.
func (s *Server) Stats(queueName string) Stats {
	q := s.inspect(queueName)
	defer s.mu.Unlock()
	return Stats{q.counts[stateVisible], q.counts[stateInFlight], q.counts[stateDelayed]}
}

// Message is a message as it lies in a queue.
type Message struct {
	// ID is the MessageId that the server gave it.
	ID string
	// Body is its text, as it was sent.
	Body string
	// GroupID is the MessageGroupId it was sent with, empty without one.
	GroupID string
	// DeduplicationID is the MessageDeduplicationId it was sent with or, under
	// ContentBasedDeduplication, the hash of its body; empty without either.
	// A dead letter in a FIFO queue has its ID here.
	DeduplicationID string
	// SequenceNumber is empty on standard queues.
	SequenceNumber string
	// ReceiveCount is how often it was received, 0 before the first receive. A
	// dead letter keeps that of its source.
	ReceiveCount int
	// Sent is the time of the SentTimestamp attribute.
	Sent time.Time
	// SourceARN is the queue that a dead letter comes from.
	SourceARN string
	// InFlight and Delayed tell why a message is not visible.
	InFlight bool
	Delayed  bool
}

// Messages returns the messages of a queue in the order they arrived in it,
// without receiving them. Surplus deliveries of faults are not among them. It
// panics when there is no queue of that name.
func (s *Server) Messages(queueName string) []Message {
	q := s.inspect(queueName)
	defer s.mu.Unlock()
	all := make([]*message, 0, len(q.messages))
	for _, m := range q.messages {
		if !m.extra {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *message) int { return int(int64(a.key - b.key)) })
	out := make([]Message, 0, len(all))
	for _, m := range all {
		v := Message{
			ID: m.id, Body: m.body, GroupID: m.group, DeduplicationID: m.dedup,
			ReceiveCount: m.count, Sent: m.sent, SourceARN: m.source,
			InFlight: m.state == stateInFlight, Delayed: m.state == stateDelayed,
		}
		if q.settings.fifo {
			v.SequenceNumber = m.sequence()
		}
		out = append(out, v)
	}
	return out
}

// inspect returns the queue as of now, with the mutex held.
func (s *Server) inspect(name string) *queue {
	now := s.lock()
	q := s.queues[name]
	if q == nil {
		s.mu.Unlock()
		panic("sqstest: no queue named " + name)
	}
	s.expire(q, now)
	return q
}
