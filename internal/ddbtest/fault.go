package ddbtest

import (
	"encoding/json"
	"time"
)

// FaultFunc decides what goes wrong with one request. The zero [Action] lets
// it pass. Requests call it concurrently, each before it is applied, without
// any lock held.
type FaultFunc func(Request) Action

// Request is what a [FaultFunc] and [Server.Requests] see of a request.
type Request struct {
	// Op is the operation, for example "BatchExecuteStatement".
	Op string
	// Attempt is 1 for the first try of the SDK, 2 for its first retry, and 0
	// when the client does not tell.
	Attempt int
	// Keys are the partition keys concerned: of the item, of each statement, of
	// each member of a transaction or of each key that is read. One that is not
	// a string is empty.
	Keys []string
	// Statements are the PartiQL statements.
	Statements []string
	// Input is the request as JSON.
	Input json.RawMessage
}

// Action is what happens to one request. Fields combine, in the order they are
// listed.
type Action struct {
	// Delay waits before anything else. Defaults to 0.
	Delay time.Duration

	// DropRequest breaks the connection before the request is applied.
	// Defaults to false.
	DropRequest bool

	// Err answers with this error and does not apply the request. Defaults to
	// nil.
	Err *Error

	// Hold keeps the items of a transaction from other writes for as long,
	// before it is applied: they are refused with TransactionConflictException.
	// Defaults to 0.
	Hold time.Duration

	// FailStatements are the statements of a batch, or the items of a
	// transaction, by index, that are not applied and come back with an error.
	// Such a transaction is cancelled. Defaults to none.
	FailStatements map[int]*Error

	// Unprocessed are the keys of a BatchGetItem, by index, that are not read
	// and come back in UnprocessedKeys. Defaults to none.
	Unprocessed map[int]bool

	// DelayResponse waits after the request was applied. Defaults to 0.
	DelayResponse time.Duration

	// DropResponse applies the request and breaks the connection. Defaults to
	// false.
	DropResponse bool
}

// Fault installs f for the requests that follow; nil removes it.
func (s *Server) Fault(f FaultFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *Server) action(r Request) Action {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f == nil {
		return Action{}
	}
	return f(r)
}
