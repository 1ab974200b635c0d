package sqstest

import (
	"container/list"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"time"
)

type state int

const (
	stateVisible state = iota
	stateInFlight
	stateDelayed
)

// message is one message in one queue. A move makes a new one.
type message struct {
	// key is unique on the server and grows: it is the order of arrival.
	key     uint64
	id      string
	body    string
	bodyMD5 string
	attrs   map[string]attribute
	trace   string
	group   string
	dedup   string
	// source is the ARN of the queue that a dead letter comes from.
	source string
	sent   time.Time

	firstReceived time.Time
	received      time.Time
	count         int
	// serial numbers the receives. Only the handle with the latest serial is
	// the current one.
	serial int
	// version changes with every receive, change of visibility and deletion.
	version int

	state      state
	visibleAt  time.Time
	timerIndex int
	ageIndex   int
	place      *list.Element

	// extra marks one surplus delivery of the message original: it is
	// received once and then gone.
	extra    bool
	original *message
}

func (m *message) wakes() time.Time { return m.visibleAt }

func (m *message) born() time.Time { return m.sent }

// sequence is the SequenceNumber of a message of a FIFO queue.
func (m *message) sequence() string { return fmt.Sprintf("188%017d", m.key) }

// messageOf is the message at an element of a list of messages.
func messageOf(e *list.Element) *message {
	m, _ := e.Value.(*message)
	return m
}

// newMessage starts a message. Its key is its place in the order of arrival.
func (s *Server) newMessage(id, body string, now time.Time) *message {
	s.lastKey++
	sum := md5.Sum([]byte(body))
	return &message{key: s.lastKey, id: id, body: body, bodyMD5: hex.EncodeToString(sum[:]), sent: now}
}

// newID returns a version 4 UUID from the seeded source.
func (s *Server) newID() string {
	hi, lo := s.rng.Uint64(), s.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x",
		hi>>32, hi>>16&0xffff, hi&0xfff, lo>>48&0x3fff|0x8000, lo&0xffffffffffff)
}

// addExtra leaves one more delivery of m in the queue.
func (s *Server) addExtra(q *queue, m *message, now time.Time) {
	e := s.newMessage(m.id, m.body, m.sent)
	e.attrs, e.trace, e.group, e.source = m.attrs, m.trace, m.group, m.source
	e.firstReceived = m.firstReceived
	e.extra, e.original = true, m
	q.add(e, now, 0)
}
