package sqssource

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// message is a message that is in this process. Its fields are guarded by
// run.mu, but for rec and raw, which are its handler's while it runs.
type message struct {
	rec  consumer.Record
	raw  types.Message
	id   string // MessageId
	size int

	came     time.Time // first received here
	handle   string    // the newest receipt handle
	received time.Time // with this handle: the 12 hours count from here
	deadline time.Time // visible to others from here on, at the latest
	beat     time.Time // when its visibility timeout is extended next
	place    int       // in the heap of beats, -1 when it is not there

	attempt  int             // receives so far, as SQS counts them
	failures int             // failed runs so far, as the guard counts them; 0 without a row
	ran      bool            // in this turn
	failed   bool            // in an earlier turn here, and is to run again
	due      time.Time       // then: when
	ctx      context.Context //nolint:containedctx // of its handler, while it runs
	lost     bool            // its visibility timeout
	finished bool            // its work is done: only the delete is left

	wire  bool    // a heartbeat or its action is on the way to SQS
	then  *action // waits for the heartbeat under way
	group *group
}

// newMessage reads what SQS delivered. queue is the queue's ARN.
func newMessage(raw types.Message, queue string, ordered bool) *message {
	body := aws.ToString(raw.Body)
	m := &message{raw: raw, id: aws.ToString(raw.MessageId), handle: aws.ToString(raw.ReceiptHandle), place: -1}
	attr := func(name types.MessageSystemAttributeName) string { return raw.Attributes[string(name)] }
	m.attempt, _ = strconv.Atoi(attr(types.MessageSystemAttributeNameApproximateReceiveCount))
	m.rec = consumer.Record{
		ID: m.id, MessageID: m.id, Source: queue, Ordered: ordered, Attempt: m.attempt,
		Group: attr(types.MessageSystemAttributeNameMessageGroupId), Body: []byte(body), Raw: raw,
	}
	if ms, err := strconv.ParseInt(attr(types.MessageSystemAttributeNameSentTimestamp), 10, 64); err == nil {
		m.rec.Time = time.UnixMilli(ms)
	}
	m.size = len(body)
	for name, v := range raw.MessageAttributes {
		m.size += len(name) + len(aws.ToString(v.StringValue)) + len(v.BinaryValue)
		if v.StringValue == nil {
			continue
		}
		if m.rec.Attributes == nil {
			m.rec.Attributes = make(map[string]string, len(raw.MessageAttributes))
		}
		m.rec.Attributes[name] = *v.StringValue
	}
	if id := m.rec.Attributes[attrMessageID]; id != "" {
		m.rec.ID = id
	}
	return m
}

// sequence is the message's place in its FIFO queue: a number of up to 20
// digits (Amazon SQS, key terms of FIFO queues).
func (m *message) sequence() string {
	return m.raw.Attributes[string(types.MessageSystemAttributeNameSequenceNumber)]
}

// inOrder compares the places of two messages in their queue.
func inOrder(a, b *message) int {
	x, y := a.sequence(), b.sequence()
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(x, y)
}
