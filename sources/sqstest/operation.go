package sqstest

// input is a decoded request. apply runs with the mutex held. It may set wake
// and until of the call instead of answering, which runs it again later.
type input interface {
	apply(c *call) (out any, err *Error)
}

// queueInput is an input about one queue, found before apply.
type queueInput interface{ queueURL() string }

// onQueue is the part that most inputs share.
type onQueue struct{ QueueUrl string }

func (i *onQueue) queueURL() string { return i.QueueUrl }

// empty is the answer of operations that answer nothing.
type empty struct{}

// newInput returns the input of an operation, nil when it is not supported.
func newInput(op string) input {
	switch op {
	case "CreateQueue":
		return new(createQueueInput)
	case "GetQueueUrl":
		return new(getQueueURLInput)
	case "ListQueues":
		return new(listQueuesInput)
	case "ListDeadLetterSourceQueues":
		return new(listSourcesInput)
	case "GetQueueAttributes":
		return new(getAttributesInput)
	case "SetQueueAttributes":
		return new(setAttributesInput)
	case "DeleteQueue":
		return new(deleteQueueInput)
	case "PurgeQueue":
		return new(purgeQueueInput)
	case "SendMessage":
		return new(sendInput)
	case "SendMessageBatch":
		return new(sendBatchInput)
	case "ReceiveMessage":
		return new(receiveInput)
	case "DeleteMessage":
		return new(deleteInput)
	case "DeleteMessageBatch":
		return new(deleteBatchInput)
	case "ChangeMessageVisibility":
		return new(visibilityInput)
	case "ChangeMessageVisibilityBatch":
		return new(visibilityBatchInput)
	case "StartMessageMoveTask":
		return new(startMoveInput)
	case "ListMessageMoveTasks":
		return new(listMovesInput)
	case "CancelMessageMoveTask":
		return new(cancelMoveInput)
	}
	return nil
}
