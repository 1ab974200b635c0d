package consumer

import "time"

// Record is one unit of work: an SQS message, an EventBridge event, or one
// element of a larger delivery, with its envelope taken off.
//
// A Record belongs to its receiver until it has an outcome. Handlers may read
// it freely; what they change in it does not change its idempotency key,
// which is fixed before they run.
type Record struct {
	// ID is the most stable identity that the source gives: the EventBridge
	// event id, the SNS MessageId, the SQS messageId. What identifies records
	// of other sources is in the documentation of package sources.
	ID string

	// MessageID is the identity by which the delivery is acknowledged, where
	// that differs from ID: the messageId of the SQS message that carried an
	// EventBridge event, the sequence number of a stream's record. Empty where
	// nothing is acknowledged one by one.
	MessageID string

	// Source names where the record came from: the ARN of the queue, or the
	// source field of an EventBridge event.
	Source string

	// Type is what [Mux] routes on: the detail-type of an EventBridge event.
	Type string

	// Group is the message group: of a FIFO queue the unit of order, of a
	// standard queue (fair queues) the tenant; of a stream the partition key,
	// or the key of the item.
	Group string

	// Ordered says that the source promises order within Group: records of
	// one group run one after another, and none runs after one that failed.
	// It is set for queues whose name ends in ".fifo" and for streams, never
	// because a message carries a group.
	Ordered bool

	// Time is when the record was sent. Zero when unknown.
	Time time.Time

	// Attempt counts deliveries from 1 (SQS ApproximateReceiveCount). Zero
	// when unknown.
	Attempt int

	// Replay is the name of the EventBridge archive replay that delivered the
	// record. Empty for live deliveries.
	Replay string

	// Attributes are the message attributes that have a text value.
	Attributes map[string]string

	// Body is the decoded body: the SQS message body, the detail of an
	// EventBridge event.
	Body []byte

	// Raw is the source's own value, such as an events.SQSMessage, for
	// handlers that need what has no field here.
	Raw any
}
