package sqstest

import (
	"encoding/json"
	"time"
)

// FaultFunc decides what goes wrong with one request. op is the operation, for
// example "ReceiveMessage". The zero [Action] lets the request pass. Requests
// call it concurrently, each before it is applied, and without any lock held:
// it may use the server.
type FaultFunc func(op string, req Request) Action

// Request is what a [FaultFunc] sees of a request.
type Request struct {
	// Queue is the name in the queue URL, empty for operations without one.
	Queue string
	// Attempt is 1 for the first try of the SDK, 2 for its first retry, and 0
	// when the client does not tell.
	Attempt int
	// Entries are the entries of a batch, or the one message that a single
	// send, delete or change of visibility is about.
	Entries []Entry
	// Input is the request as JSON.
	Input json.RawMessage
}

// Entry is one message of a [Request].
type Entry struct {
	// ID is the caller's id of a batch entry, empty outside of batches.
	ID string
	// MessageID is the id of the message that the receipt handle names; empty
	// in sends and for handles this server did not make.
	MessageID string
	// Body is the text of a message that is being sent.
	Body string
	// GroupID is the MessageGroupId of a message that is being sent.
	GroupID string
	// ReceiptHandle is the handle of a delete or change of visibility.
	ReceiptHandle string
}

// Action is what happens to one request. Fields combine, in the order they are
// listed.
type Action struct {
	// Delay waits before anything else. Defaults to 0.
	Delay time.Duration

	// DropRequest breaks the connection before the request is applied: the
	// client sees a transport error and tries again. Defaults to false.
	DropRequest bool

	// Err answers with this error and does not apply the request. Defaults to
	// nil.
	Err *Error

	// FailEntries are the entries of a batch, by index, that are not applied
	// and come back in Failed; the others are applied. Defaults to none.
	FailEntries map[int]*Error

	// DelayResponse waits after the request was applied. Defaults to 0.
	DelayResponse time.Duration

	// DropResponse applies the request and breaks the connection: the client
	// sees a transport error and tries again what already happened. Defaults
	// to false.
	DropResponse bool

	// CorruptMD5 falsifies the checksums of message bodies: the SDK discards
	// the answer with an error and does not try again. Defaults to false.
	CorruptMD5 bool

	// Truncate ends the body of the answer in the middle. Defaults to false.
	Truncate bool
}

// lost says whether the client gets no answer it can use although the request
// was applied.
func (a Action) lost() bool { return a.DropResponse || a.CorruptMD5 || a.Truncate }

// Fault installs f for the requests that follow, in the place of an earlier
// one; nil removes it. A new server has none.
func (s *Server) Fault(f FaultFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *Server) actionFor(op string, req Request) Action {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f == nil {
		return Action{}
	}
	return f(op, req)
}
