package sqstest

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// outgoing is a message of a send, alone or in a batch.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
	MessageDeduplicationId  string
	MessageGroupId          string
}

type sendInput struct {
	onQueue
	outgoing
}

type sendBatchInput struct {
	onQueue
	Entries []struct {
		Id string
		outgoing
	}
}

type sendOutput struct {
	Id                           string `json:",omitempty"`
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

func (o *sendOutput) corrupt() { o.MD5OfMessageBody = wrongMD5 }

func (i *sendInput) entries() []Entry {
	return []Entry{{Body: i.MessageBody, GroupID: i.MessageGroupId}}
}

func (i *sendInput) apply(c *call) (any, *Error) {
	out, err := c.send(&i.outgoing)
	return &out, err
}

func (i *sendBatchInput) entries() (out []Entry) {
	for _, e := range i.Entries {
		out = append(out, Entry{ID: e.Id, Body: e.MessageBody, GroupID: e.MessageGroupId})
	}
	return out
}

func (i *sendBatchInput) apply(c *call) (any, *Error) {
	total := 0
	for n := range i.Entries {
		total += i.Entries[n].size()
	}
	if limit := c.queue.settings.maxSize; total > limit && len(i.Entries) <= 10 {
		return nil, newError("BatchRequestTooLong", "Batch requests cannot be longer than "+
			strconv.Itoa(limit)+" bytes. You have sent "+strconv.Itoa(total)+" bytes.")
	}
	return runBatch(c, i.entries(), func(n int) (sendOutput, *Error) {
		out, err := c.send(&i.Entries[n].outgoing)
		out.Id = i.Entries[n].Id
		return out, err
	})
}

func (c *call) send(o *outgoing) (sendOutput, *Error) {
	q := c.queue
	if err := o.check(q); err != nil {
		return sendOutput{}, err
	}
	key, err := o.deduplicate(q)
	if err != nil {
		return sendOutput{}, err
	}
	m := c.newMessage(c.newID(), o.MessageBody, c.now)
	m.attrs, m.trace = o.MessageAttributes, deref(o.MessageSystemAttributes["AWSTraceHeader"].StringValue)
	m.group, m.dedup = o.MessageGroupId, o.MessageDeduplicationId
	out := sendOutput{
		MessageId:                    m.id,
		MD5OfMessageBody:             m.bodyMD5,
		MD5OfMessageAttributes:       attributesMD5(m.attrs),
		MD5OfMessageSystemAttributes: attributesMD5(o.MessageSystemAttributes),
	}
	if q.settings.fifo {
		out.SequenceNumber = m.sequence()
		if first, dup := q.fifo.dedup[key]; dup {
			out.MessageId, out.SequenceNumber = first.id, first.seq
			c.ids = append(c.ids, first.id)
			return out, nil
		}
		q.fifo.accept(accepted{key, m.id, out.SequenceNumber, c.now})
	}
	c.ids = append(c.ids, m.id)
	q.add(m, c.now, o.delay(q))
	return out, nil
}

func (o *outgoing) delay(q *queue) time.Duration {
	if o.DelaySeconds != nil {
		return seconds(*o.DelaySeconds)
	}
	return q.settings.delay
}

// deduplicate fills in the content-based id and returns the key under which
// the queue looks for duplicates.
func (o *outgoing) deduplicate(q *queue) (key string, err *Error) {
	if !q.settings.fifo {
		return "", nil
	}
	if o.MessageDeduplicationId == "" {
		if !q.settings.contentDedup {
			return "", invalidValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		sum := sha256.Sum256([]byte(o.MessageBody))
		o.MessageDeduplicationId = hex.EncodeToString(sum[:])
	}
	if q.settings.groupScope {
		return o.MessageGroupId + "\n" + o.MessageDeduplicationId, nil
	}
	return o.MessageDeduplicationId, nil
}

func (o *outgoing) check(q *queue) *Error {
	if o.MessageBody == "" {
		return missing("MessageBody")
	}
	if !validText(o.MessageBody) {
		return newError("InvalidMessageContents", "The message contains characters outside the allowed set.")
	}
	if o.size() > q.settings.maxSize {
		return invalidValue("One or more parameters are invalid. Reason: Message must be shorter than " +
			strconv.Itoa(q.settings.maxSize) + " bytes.")
	}
	if err := inRange("DelaySeconds", o.DelaySeconds, 0, 900); err != nil {
		return err
	}
	if err := checkAttributes(o.MessageAttributes); err != nil {
		return err
	}
	for name := range o.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return invalidValue("Message system attribute name '" + name + "' is not supported.")
		}
	}
	if !validToken(o.MessageGroupId) || !validToken(o.MessageDeduplicationId) {
		return invalidValue("MessageGroupId and MessageDeduplicationId can only include alphanumeric and punctuation characters, 1 to 128 in length.")
	}
	return o.checkKind(q)
}

// checkKind checks what differs between FIFO and standard queues. A group id
// on a standard queue is fine: it makes the queue a fair one.
func (o *outgoing) checkKind(q *queue) *Error {
	const wrong = " is invalid. Reason: The request include parameter that is not valid for this queue type."
	switch {
	case !q.settings.fifo && o.MessageDeduplicationId != "":
		return invalidValue("Value " + o.MessageDeduplicationId + " for parameter MessageDeduplicationId" + wrong)
	case q.settings.fifo && o.MessageGroupId == "":
		return missing("MessageGroupId")
	case q.settings.fifo && o.DelaySeconds != nil:
		return invalidValue("Value " + strconv.Itoa(*o.DelaySeconds) + " for parameter DelaySeconds" + wrong)
	}
	return nil
}

// size is what the size limits count: the body and the attributes.
func (o *outgoing) size() int {
	n := len(o.MessageBody)
	for name, a := range o.MessageAttributes {
		n += len(name) + len(a.DataType) + len(deref(a.StringValue)) + len(a.BinaryValue)
	}
	return n
}

// validText tells whether s has only the characters that XML 1.0 allows. JSON
// decoding replaced invalid UTF-8 already.
func validText(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// validToken checks a group or deduplication id.
func validToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 128
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
