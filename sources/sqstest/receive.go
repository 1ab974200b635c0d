package sqstest

import (
	"container/list"
	"strconv"
	"strings"
	"time"
)

type receiveInput struct {
	onQueue
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	ReceiveRequestAttemptId     string
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

type receiveOutput struct {
	Messages []receivedMessage `json:",omitempty"`
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	MD5OfMessageAttributes string               `json:",omitempty"`
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
}

func (o *receiveOutput) corrupt() {
	for i := range o.Messages {
		o.Messages[i].MD5OfBody = wrongMD5
	}
}

func (i *receiveInput) apply(c *call) (any, *Error) {
	q := c.queue
	if err := i.check(q); err != nil {
		return nil, err
	}
	wait, visibility := q.settings.wait, q.settings.visibility
	if i.WaitTimeSeconds != nil {
		wait = seconds(*i.WaitTimeSeconds)
	}
	if i.VisibilityTimeout != nil {
		visibility = seconds(*i.VisibilityTimeout)
	}
	n := 1
	if i.MaxNumberOfMessages != nil {
		n = *i.MaxNumberOfMessages
	}

	msgs := i.repeat(c, visibility)
	if msgs == nil {
		if !q.settings.fifo && wait == 0 && q.counts[stateInFlight] >= c.opts.MaxInFlight {
			return nil, newError("OverLimit", "The maximum number of messages in flight is reached.")
		}
		msgs = c.take(n, visibility, wait == 0)
		if i.ReceiveRequestAttemptId != "" && q.settings.fifo && len(msgs) > 0 {
			q.fifo.attempted(i.ReceiveRequestAttemptId, msgs, c.now)
		}
	}
	if c.deadline.IsZero() {
		c.deadline = c.now.Add(wait)
	}
	if len(msgs) == 0 && c.now.Before(c.deadline) {
		c.park()
		return nil, nil
	}
	out := &receiveOutput{}
	for _, m := range msgs {
		c.ids = append(c.ids, m.id)
		out.Messages = append(out.Messages, i.render(q, m))
	}
	return out, nil
}

func (i *receiveInput) check(q *queue) *Error {
	if err := inRange("MaxNumberOfMessages", i.MaxNumberOfMessages, 1, 10); err != nil {
		return err
	}
	if err := inRange("WaitTimeSeconds", i.WaitTimeSeconds, 0, 20); err != nil {
		return err
	}
	if i.ReceiveRequestAttemptId != "" && !q.settings.fifo {
		return invalidValue("Value " + i.ReceiveRequestAttemptId + " for parameter ReceiveRequestAttemptId is invalid. " +
			"Reason: The request include parameter that is not valid for this queue type.")
	}
	return inRange("VisibilityTimeout", i.VisibilityTimeout, 0, maxVisibility)
}

// repeat answers a receive request attempt that was seen before with the same
// messages and handles, their visibility timeouts started anew.
func (i *receiveInput) repeat(c *call, visibility time.Duration) []*message {
	if i.ReceiveRequestAttemptId == "" {
		return nil
	}
	msgs := c.queue.fifo.repeat(i.ReceiveRequestAttemptId)
	for _, m := range msgs {
		m.received = c.now
		c.queue.hide(m, c.now.Add(visibility))
	}
	return msgs
}

// take receives up to n messages. Messages that were received too often leave
// for the dead-letter queue instead.
func (c *call) take(n int, visibility time.Duration, short bool) (out []*message) {
	q := c.queue
	if !q.settings.fifo && short && c.chance(c.opts.EmptyReceive) {
		return nil
	}
	for {
		room := min(n-len(out), c.opts.MaxInFlight-q.counts[stateInFlight])
		if room <= 0 {
			break
		}
		batch := c.candidates(room)
		if len(batch) == 0 {
			break
		}
		for _, m := range batch {
			if c.deadLetter(q, m, c.now) {
				continue
			}
			m.receive(c.now)
			q.hide(m, c.now.Add(visibility))
			out = append(out, m)
		}
	}
	if !q.settings.fifo {
		// After the loop, so that the two deliveries are of two receives.
		for _, m := range out {
			if !m.extra && c.chance(c.opts.Duplicate) {
				c.addExtra(q, m, c.now)
			}
		}
	}
	return out
}

// candidates returns the messages to receive next: at least one if there is
// one, and at most n.
func (c *call) candidates(n int) []*message {
	q := c.queue
	if q.settings.fifo {
		return q.fifo.available(n)
	}
	e := q.visible.Front()
	if e == nil {
		return nil
	}
	if c.opts.Reorder {
		e = skip(e, c.rng.IntN(min(10, q.visible.Len())))
	}
	return []*message{messageOf(e)}
}

func skip(e *list.Element, n int) *list.Element {
	for range n {
		e = e.Next()
	}
	return e
}

func (m *message) receive(now time.Time) {
	m.serial++
	m.version++
	m.received = now
	if m.firstReceived.IsZero() {
		m.firstReceived = now
	}
	m.count++
	if m.extra {
		m.original.count++
		m.count = m.original.count
	}
}

// park makes the call wait for a change of the queue, for its next timer, for
// the next step of a move task, or for the end of the long poll.
func (c *call) park() {
	c.wake, c.until = c.queue.wait(), c.deadline
	if m := c.queue.timers.first(); m != nil && m.visibleAt.Before(c.until) {
		c.until = m.visibleAt
	}
	if t, ok := c.nextMove(); ok && t.Before(c.until) {
		c.until = t
	}
}

func (i *receiveInput) render(q *queue, m *message) receivedMessage {
	attrs := selectAttributes(m.attrs, i.MessageAttributeNames)
	return receivedMessage{
		MessageId:              m.id,
		ReceiptHandle:          handle{q.name, m.key, m.serial, m.id}.String(),
		Body:                   m.body,
		MD5OfBody:              m.bodyMD5,
		MD5OfMessageAttributes: attributesMD5(attrs),
		MessageAttributes:      attrs,
		Attributes:             m.system(q.settings.fifo, i.AttributeNames, i.MessageSystemAttributeNames),
	}
}

// system returns the system attributes that were asked for by name.
func (m *message) system(fifo bool, asked ...[]string) map[string]string {
	all := map[string]string{
		"SenderId":                         "AIDASQSTEST",
		"SentTimestamp":                    millis(m.sent),
		"ApproximateReceiveCount":          strconv.Itoa(m.count),
		"ApproximateFirstReceiveTimestamp": millis(m.firstReceived),
		"MessageGroupId":                   m.group,
		"MessageDeduplicationId":           m.dedup,
		"AWSTraceHeader":                   m.trace,
		"DeadLetterQueueSourceArn":         m.source,
	}
	if fifo {
		all["SequenceNumber"] = m.sequence()
	}
	out := map[string]string{}
	for _, names := range asked {
		for _, name := range names {
			for k, v := range all {
				if v != "" && (name == "All" || strings.EqualFold(name, k)) {
					out[k] = v
				}
			}
		}
	}
	return out
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
