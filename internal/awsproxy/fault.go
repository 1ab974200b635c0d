package awsproxy

import (
	"encoding/json"
	"net/http"
	"time"
)

// FaultFunc decides what goes wrong with one request. The zero [Action] lets
// it pass. Requests call it concurrently, without any lock held; while it
// blocks, its request is held.
type FaultFunc func(Request) Action

// Request is what a [FaultFunc] and [Proxy.Requests] see of a request.
type Request struct {
	// Op is the operation, for example "BatchExecuteStatement" or
	// "ReceiveMessage"; empty when the request names none.
	Op string
	// Number counts the requests of this operation since the last Reset, from
	// 1.
	Number int
	// Attempt is 1 for the first try of the SDK, 2 for its first retry, and 0
	// when the client does not tell.
	Attempt int
	// Input is the body of the request.
	Input json.RawMessage
}

// Action is what happens to one request. Fields combine, in the order they are
// listed.
type Action struct {
	// Delay waits before anything else. Defaults to 0.
	Delay time.Duration

	// DropRequest breaks the connection and forwards nothing. Defaults to
	// false.
	DropRequest bool

	// Err answers with this error and forwards nothing. Defaults to nil.
	Err *Error

	// Late forwards the request even if its client is gone by then, as a
	// network does with what it has taken. Defaults to false: who leaves
	// takes the request along.
	Late bool

	// Exchange, if set, makes the exchange with the server in the place of the
	// proxy: it may call forward, with another body, and change the body of an
	// answer. Defaults to forward itself.
	Exchange func(body []byte, forward func([]byte) ([]byte, error)) ([]byte, error)

	// DelayResponse waits once the server has answered. Defaults to 0.
	DelayResponse time.Duration

	// DropResponse breaks the connection once the server has answered.
	// Defaults to false.
	DropResponse bool
}

// Error is an error as AWS's JSON protocols tell it.
type Error struct {
	// Code is the name of the error, for example "ThrottlingException".
	// Required.
	Code string

	// Message is its text. Defaults to the code.
	Message string

	// Status is the HTTP status. Defaults to 400.
	Status int
}

// Throttled is the answer to a request above the limits of table or account.
func Throttled() *Error { return &Error{Code: "ThrottlingException", Message: "Rate exceeded"} }

// Broken is the answer of a server that failed, after or before it did what it
// was asked.
func Broken() *Error {
	return &Error{Code: "InternalServerError", Status: http.StatusInternalServerError}
}

// answer is what the proxy sends to a client.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (e *Error) answer() *answer {
	message, status := e.Message, e.Status
	if message == "" {
		message = e.Code
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	body, err := json.Marshal(map[string]string{"__type": e.Code, "message": message})
	if err != nil {
		panic("awsproxy: encode error: " + err.Error()) // two strings
	}
	return &answer{status, http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, body}
}
