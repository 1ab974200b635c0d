package ddbtest

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
)

// Error is an error answer of the server.
type Error struct {
	// Code is the name of the error, for example "ThrottlingException". For
	// one statement of a batch it is a BatchStatementErrorCodeEnum, for example
	// "ThrottlingError", for one item of a transaction the code of its reason.
	// Required.
	Code string

	// Message is the text of the error. Defaults to the code.
	Message string

	// Status is the HTTP status. Defaults to 500 for codes that begin with
	// "Internal", else to 400.
	Status int

	item    Item             // of a condition that failed
	reasons []statementError // of a transaction that was cancelled
}

// Error returns the code and the text.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// fail ends a request with an error: the server recovers the panic.
func fail(code, format string, args ...any) {
	panic(&Error{Code: code, Message: fmt.Sprintf(format, args...)})
}

// statementCode is the code of an error inside a batch.
func (e *Error) statementCode() string {
	switch e.Code {
	case "ConditionalCheckFailedException":
		return "ConditionalCheckFailed"
	case "DuplicateItemException":
		return "DuplicateItem"
	case "ResourceNotFoundException":
		return "ResourceNotFound"
	case "ValidationException":
		return "ValidationError"
	case "TransactionConflictException":
		return "TransactionConflict"
	}
	return e.Code
}

func (e *Error) write(w http.ResponseWriter) {
	prefix := "com.amazonaws.dynamodb.v20120810#"
	if e.Code == "ValidationException" || e.Code == "ThrottlingException" {
		prefix = "com.amazon.coral.validate#"
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
		if len(e.Code) > 8 && e.Code[:8] == "Internal" {
			status = http.StatusInternalServerError
		}
	}
	writeJSON(w, status, struct {
		Type    string           `json:"__type"`
		Message string           `json:"message"`
		Item    Item             `json:"Item,omitempty"`
		Reasons []statementError `json:"CancellationReasons,omitempty"`
	}{prefix + e.Code, e.Message, e.item, e.reasons})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ddbtest: encode answer: " + err.Error())
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	// The SDK's client checks it, and complains about answers without one.
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(b)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone misses nothing
}
