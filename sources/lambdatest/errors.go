package lambdatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// What can go wrong between AWS and a function that did nothing wrong, or did
// not get the chance to say so.
var (
	// ErrTimeout is returned when the function had not answered at its
	// deadline. AWS kills it there and reads no response.
	ErrTimeout = errors.New("lambdatest: function timed out")

	// ErrResponseLost is returned when the function ran and [Fault.DropResponse]
	// lost its answer.
	ErrResponseLost = errors.New("lambdatest: response lost")

	// ErrThrottled is returned when [Fault.Throttle] refused the invocation.
	ErrThrottled = errors.New("lambdatest: invocation throttled")

	// ErrMalformedResponse is returned when a partial batch response breaks
	// AWS's rules, which fails the whole batch.
	ErrMalformedResponse = errors.New("lambdatest: malformed batch response")

	// ErrClosed is returned by [Runtime.Invoke] after Close.
	ErrClosed = errors.New("lambdatest: runtime closed")
)

// A FunctionError is the failure of an invocation as Lambda reports it.
type FunctionError struct {
	// Type is the kind of failure: the Go type's name of a returned error or a
	// panic value, or one of Lambda's own, such as Runtime.ExitError for a
	// process that died and Sandbox.Timedout for a missed deadline.
	Type string

	// Message is the error's text.
	Message string

	// StackTrace is where the function panicked, innermost call first.
	StackTrace []StackFrame

	cause error
}

// A StackFrame is one call of a function's stack.
type StackFrame struct {
	Path  string `json:"path"`  // the source file, empty when the runtime sent plain text
	Line  int    `json:"line"`  // the line in it, from 1
	Label string `json:"label"` // the function, or the runtime's plain text
}

// Error returns type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Unwrap returns the error that an in-process function returned, or the
// sentinel that names the failure, if there is one.
func (e *FunctionError) Unwrap() error { return e.cause }

const (
	typeExit    = "Runtime.ExitError"
	typeTimeout = "Sandbox.Timedout"
	typeTooBig  = "Function.ResponseSizeTooLarge"
	typeUnknown = "Unhandled"
)

func timeoutError(after time.Duration) *FunctionError {
	message := fmt.Sprintf("Task timed out after %.2f seconds", after.Seconds())
	return &FunctionError{Type: typeTimeout, Message: message, cause: ErrTimeout}
}

// functionError gives an error the form it has after aws-lambda-go sent it.
func functionError(err error) *FunctionError {
	if fe, ok := errors.AsType[*FunctionError](err); ok {
		return fe
	}
	if sent, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return &FunctionError{Type: sent.Type, Message: sent.Message, StackTrace: frames(sent.StackTrace), cause: err}
	}
	return &FunctionError{Type: typeName(err), Message: err.Error(), cause: err}
}

func panicError(v any) *FunctionError {
	fe := &FunctionError{Type: typeName(v), Message: fmt.Sprint(v)}
	if err, ok := v.(error); ok {
		fe.cause = err
	}
	return fe
}

func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

func frames(sent []*messages.InvokeResponse_Error_StackFrame) []StackFrame {
	var out []StackFrame
	for _, f := range sent {
		if f != nil {
			out = append(out, StackFrame{Path: f.Path, Line: int(f.Line), Label: f.Label})
		}
	}
	return out
}

// decodeError reads an error document of the Runtime API. Runtimes of other
// languages send a stack of plain strings; each becomes a label.
func decodeError(doc []byte, fallbackType string) *FunctionError {
	var wire struct {
		Message string            `json:"errorMessage"`
		Type    string            `json:"errorType"`
		Stack   []json.RawMessage `json:"stackTrace"`
	}
	if err := json.Unmarshal(doc, &wire); err != nil {
		wire.Message = string(doc)
	}
	fe := &FunctionError{Type: wire.Type, Message: wire.Message}
	if fe.Type == "" {
		fe.Type = fallbackType
	}
	for _, raw := range wire.Stack {
		var f StackFrame
		if json.Unmarshal(raw, &f) != nil && json.Unmarshal(raw, &f.Label) != nil {
			f.Label = string(raw)
		}
		fe.StackTrace = append(fe.StackTrace, f)
	}
	return fe
}
