package sqssource

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

var (
	// ErrVisibilityLost is the cause with which a handler's context ends when
	// its message became visible to others, or may have: its visibility
	// timeout could not be extended.
	ErrVisibilityLost = errors.New("sqssource: the visibility timeout could not be extended")

	// ErrDraining is the cause with which a handler's context ends when the
	// poller's DrainTimeout has passed.
	ErrDraining = errors.New("sqssource: the poller stops")

	// ErrRunning is returned by Run while another Run of the same Poller goes
	// on.
	ErrRunning = errors.New("sqssource: the poller runs already")
)

// errNoIdentity is told of a message that was delivered without what SQS
// documents for every one. It is left to become visible again.
var errNoIdentity = errors.New("sqssource: a message without MessageId or ReceiptHandle")

// QueueError says that a poller cannot go on: its queue does not exist, or
// access to it is denied.
type QueueError struct {
	URL string // the queue
	Op  string // the operation that failed
	Err error  // what SQS answered
}

func (e *QueueError) Error() string {
	return fmt.Sprintf("sqssource: queue %s: %s: %v", e.URL, e.Op, e.Err)
}

// Unwrap returns what SQS answered.
func (e *QueueError) Unwrap() error { return e.Err }

// fatal reports whether no retry can mend err: the queue is gone, or this
// program may not use it.
func fatal(err error) bool {
	switch code(err) {
	case "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist",
		"AccessDenied", "AccessDeniedException", "InvalidAddress", "UnsupportedOperation",
		"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
		return true
	}
	return false
}

// refused reports whether SQS refused a request that it will refuse again.
func refused(err error) bool {
	if fatal(err) {
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[code(err)]
	e, answered := errors.AsType[*awshttp.ResponseError](err)
	if throttled || !answered {
		return false
	}
	status := e.HTTPStatusCode()
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

// stale reports whether the code of an entry says that its receipt handle is
// of no use any more, and so no retry either.
func stale(code string) bool {
	switch code {
	case "ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight",
		"AWS.SimpleQueueService.MessageNotInflight":
		return true
	}
	return false
}

// code returns the error code of an answer, empty when err is none.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}
