package sqstest

import "time"

// deadLetter moves m to the dead-letter queue when one more receive would
// exceed maxReceiveCount, and tells whether it did. The message keeps its id
// and its count. On a standard queue it also keeps the time it was sent, from
// which retention counts; a FIFO queue counts anew and replaces the
// deduplication id by the message id.
func (s *Server) deadLetter(q *queue, m *message, now time.Time) bool {
	p := q.settings.redrive
	if p == nil || m.extra || m.count < p.maxReceives {
		return false
	}
	dlq := s.queueAt(p.target)
	if dlq == nil || dlq == q {
		return false
	}
	d := s.newMessage(m.id, m.body, m.sent)
	d.attrs, d.trace, d.group, d.dedup = m.attrs, m.trace, m.group, m.dedup
	d.count, d.firstReceived = m.count, m.firstReceived
	d.source = s.ARN(q.name)
	if dlq.settings.fifo {
		d.sent, d.dedup = now, m.id
	}
	q.remove(m)
	dlq.add(d, now, 0)
	s.history.add(Event{Time: now, Op: OpDeadLetter, Queue: q.name, MessageIDs: []string{m.id}})
	return true
}
