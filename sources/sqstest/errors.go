package sqstest

import (
	"net/http"
	"strconv"
)

// Error is an error answer of the server.
type Error struct {
	// Code is the shape name of the error, for example "RequestThrottled",
	// "QueueDoesNotExist" or "InternalFailure". Required.
	Code string

	// Message is the text of the error. Defaults to the code.
	Message string

	// Status is the HTTP status. Defaults to the one the service sends with
	// the code, 400 for codes this package does not know.
	Status int
}

// Error returns the code and the text.
func (e *Error) Error() string { return e.Code + ": " + e.text() }

func (e *Error) text() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Message
}

func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Code {
	case "RequestThrottled", "OverLimit", "PurgeQueueInProgress", "InvalidSecurity":
		return http.StatusForbidden
	case "ReceiptHandleIsInvalid", "ResourceNotFoundException", "InvalidAddress":
		return http.StatusNotFound
	case "InternalFailure", "InternalError":
		return http.StatusInternalServerError
	case "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// queryCode is the code of the older Query protocol. The SDK reports it as
// ErrorCode, in the place of the shape name, when the answer carries it.
func (e *Error) queryCode() string {
	switch e.Code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "KmsThrottled":
		return "KMS.ThrottlingException"
	case "MessageNotInflight", "BatchEntryIdsNotDistinct", "EmptyBatchRequest",
		"TooManyEntriesInBatchRequest", "BatchRequestTooLong", "InvalidBatchEntryId",
		"UnsupportedOperation", "QueueDeletedRecently", "PurgeQueueInProgress":
		return "AWS.SimpleQueueService." + e.Code
	}
	return e.Code
}

func (e *Error) senderFault() bool { return e.status() < 500 }

func (e *Error) write(w http.ResponseWriter) {
	fault := ";Sender"
	if !e.senderFault() {
		fault = ";Receiver"
	}
	w.Header().Set("x-amzn-query-error", e.queryCode()+fault)
	body := mustJSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{"com.amazonaws.sqs#" + e.Code, e.text()})
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	answer(w, e.status(), body)
}

func newError(code, message string) *Error { return &Error{Code: code, Message: message} }

func invalidValue(message string) *Error { return newError("InvalidParameterValue", message) }

func missing(parameter string) *Error {
	return newError("MissingParameter", "The request must contain the parameter "+parameter+".")
}

func noSuchQueue() *Error {
	return newError("QueueDoesNotExist", "The specified queue does not exist.")
}

// inRange checks an optional number; nil is in range.
func inRange(name string, value *int, lo, hi int) *Error {
	if value == nil || *value >= lo && *value <= hi {
		return nil
	}
	return invalidValue("Value " + strconv.Itoa(*value) + " for parameter " + name +
		" is invalid. Reason: Must be between " + strconv.Itoa(lo) + " and " + strconv.Itoa(hi) + ", if provided.")
}
