package sqstest

import "time"

// Operations that the server makes by itself and [Server.History] tells.
const (
	// OpDeadLetter is a move to a dead-letter queue because of
	// maxReceiveCount. Its Queue is the source.
	OpDeadLetter = "sqstest.DeadLetter"
	// OpMove is one message of a message move task. Its Queue is the
	// dead-letter queue, its MessageIDs the old id and the new one.
	OpMove = "sqstest.Move"
	// OpExpire is the end of a message's retention period.
	OpExpire = "sqstest.Expire"
)

// Event is something that happened on the server.
type Event struct {
	// Time is when the request was applied. A long poll has the time of its
	// end.
	Time time.Time
	// Op is the operation, or one of the Op constants of this package.
	Op string
	// Queue is the name of the queue, if there is one.
	Queue string
	// MessageIDs are the messages that the operation sent, received, deleted
	// or changed. Failed entries are not among them.
	MessageIDs []string
	// Code is the shape name of the error that was answered, if one was.
	Code string
	// Lost tells that the request was applied and a fault kept the answer
	// from the client.
	Lost bool
}

// History returns the latest events, oldest first, as many as
// Options.HistorySize allows. Events are in the order in which the server
// applied the requests. Requests whose connection broke before they were
// applied are not told.
func (s *Server) History() []Event {
	s.lock()
	defer s.mu.Unlock()
	return s.history.all()
}

// history is a ring, so that a run of any length has a bounded cost.
type history struct {
	size   int
	next   int
	events []Event
}

func (h *history) add(e Event) {
	if len(h.events) < h.size {
		h.events = append(h.events, e)
		return
	}
	if h.size == 0 {
		return
	}
	h.events[h.next] = e
	h.next = (h.next + 1) % h.size
}

func (h *history) all() []Event {
	out := make([]Event, 0, len(h.events))
	out = append(out, h.events[h.next:]...)
	return append(out, h.events[:h.next]...)
}
