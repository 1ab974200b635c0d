package sqssource

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/deadletter"
)

// message is a message that is in this process. Its fields are guarded by
// run.mu, but for rec and raw, which are its handler's while it runs.
type message struct {
	rec  *consumer.Record // made anew for each turn: decoders and handlers change it
	raw  *types.Message
	id   string // MessageId
	size int

	came     time.Time // first received here
	handle   string    // the newest receipt handle
	received time.Time // with this handle: the 12 hours count from here
	deadline time.Time // visible to others from here on, at the latest
	beat     time.Time // when its visibility timeout is extended next
	place    int       // in the heap of beats, -1 when it is not there

	attempt  int                // receives so far, as SQS counts them
	failures int                // failed runs so far, as the guard counts them; 0 without a row
	ran      bool               // in this turn
	failed   bool               // in an earlier turn here, and is to run again
	due      time.Time          // then: when
	ctxs     []context.Context  // of its handlers, while they run
	parts    []*consumer.Record // where it holds several
	lost     bool               // its visibility timeout
	held     bool               // the store gave no answer for it yet
	told     bool               // that it did not, twice
	tried    time.Time          // when it was last given to the batch processor
	finished bool               // its work is done: only the delete is left
	left     bool               // it is not in this process any more

	wire    bool    // a heartbeat or its action is on the way to SQS; a delete beside a heartbeat counts as one
	then    *action // its return, which waits for the heartbeat under way
	leaving *action // its return; when it comes again before the answer to that, it is a new delivery
	group   *group
}

// newMessage reads what SQS delivered. queue is the queue's ARN.
func newMessage(raw *types.Message, queue string, ordered bool) *message {
	m := &message{raw: raw, id: aws.ToString(raw.MessageId), handle: aws.ToString(raw.ReceiptHandle), place: -1}
	m.attempt, _ = strconv.Atoi(m.attr(types.MessageSystemAttributeNameApproximateReceiveCount))
	m.size = len(aws.ToString(raw.Body))
	for name, v := range raw.MessageAttributes {
		m.size += len(name) + len(aws.ToString(v.StringValue)) + len(v.BinaryValue)
	}
	m.rec = m.record(queue, ordered)
	return m
}

// attr returns a system attribute.
func (m *message) attr(name types.MessageSystemAttributeName) string {
	return m.raw.Attributes[string(name)]
}

// record returns a new record of the message, as SQS delivered it.
func (m *message) record(queue string, ordered bool) *consumer.Record {
	rec := &consumer.Record{
		MessageID: m.id, Source: queue, Ordered: ordered, Attempt: m.attempt,
		Group: m.attr(types.MessageSystemAttributeNameMessageGroupId), Body: []byte(aws.ToString(m.raw.Body)), Raw: *m.raw,
	}
	if ms, err := strconv.ParseInt(m.attr(types.MessageSystemAttributeNameSentTimestamp), 10, 64); err == nil {
		rec.Time = time.UnixMilli(ms)
	}
	for name, v := range m.raw.MessageAttributes {
		if v.StringValue == nil {
			continue
		}
		if rec.Attributes == nil {
			rec.Attributes = make(map[string]string, len(m.raw.MessageAttributes))
		}
		rec.Attributes[name] = *v.StringValue
	}
	rec.ID = deadletter.ID(rec.Attributes, m.id)
	return rec
}

// sequence is the message's place in its FIFO queue: a number of up to 20
// digits (Amazon SQS, key terms of FIFO queues).
func (m *message) sequence() string {
	return m.attr(types.MessageSystemAttributeNameSequenceNumber)
}

// inOrder compares the places of two messages in their queue.
func inOrder(a, b *message) int {
	x, y := a.sequence(), b.sequence()
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(x, y)
}
