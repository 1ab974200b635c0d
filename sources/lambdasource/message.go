package lambdasource

import (
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/deadletter"
	"github.com/onlyonce-go/onlyonce/sources"
)

// message is one record of a payload.
type message struct {
	id     string // by which it is reported, as it arrived
	rec    consumer.Record
	hidden bool // broken so that its place in the order is not known
}

// element is a message that is being read.
type element struct {
	message
	raw    events.SQSMessage
	seen   seen
	others map[string]struct{} // names seen that mean nothing here
	err    error               // the first thing that is wrong with it
}

// seen is the set of members that were read.
type seen uint16

const (
	seenID seen = 1 << iota
	seenSource
	seenARN
	seenBody
	seenAttributes
	seenMessageAttributes
	seenReceipt
	seenBodyMD5
	seenAttributesMD5
	seenRegion
)

// record reads one element of the array. The error is a [PayloadError], for
// what cannot be reported as a failure by a messageId.
func (r *reader) record() error {
	number := len(r.messages)
	if kind := r.dec.PeekKind(); kind != jsontext.KindBeginObject {
		if _, err := r.dec.ReadValue(); err != nil {
			return r.syntax(err)
		}
		return r.unaddressed(number, "is no object", nil)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	var e element
	for r.dec.PeekKind() != jsontext.KindEndObject {
		if err := r.member(&e, number); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	switch {
	case e.seen&seenSource == 0:
		return r.unaddressed(number, "has no eventSource", nil)
	case e.seen&seenID == 0:
		return r.unaddressed(number, "has no messageId", nil)
	}
	r.messages = append(r.messages, r.finish(&e))
	return nil
}

// member reads one name with its value. The error is a [PayloadError].
func (r *reader) member(e *element, number int) error {
	rawName, err := r.value()
	if err != nil {
		return r.syntax(err)
	}
	name, err := r.unquote(rawName)
	if err != nil {
		e.fault("", err, false)
		name = nil
	}
	switch string(name) {
	case "messageId":
		return r.identity(e, number)
	case "eventSource":
		return r.origin(e, number)
	case "eventSourceARN":
		err = r.text(e, "eventSourceARN", seenARN, &e.raw.EventSourceARN, &r.arn)
	case "body":
		err = r.body(e)
	case "attributes":
		err = r.attributes(e)
	case "messageAttributes":
		err = r.messageAttributes(e)
	case "receiptHandle":
		err = r.text(e, "receiptHandle", seenReceipt, &e.raw.ReceiptHandle, nil)
	case "md5OfBody":
		err = r.text(e, "md5OfBody", seenBodyMD5, &e.raw.Md5OfBody, nil)
	case "md5OfMessageAttributes":
		err = r.text(e, "md5OfMessageAttributes", seenAttributesMD5, &e.raw.Md5OfMessageAttributes, nil)
	case "awsRegion":
		err = r.text(e, "awsRegion", seenRegion, &e.raw.AWSRegion, &r.region)
	default:
		err = r.unknown(e, string(name))
	}
	if err != nil {
		return r.syntax(err)
	}
	return nil
}

// identity reads the messageId, without which a failure cannot be reported.
func (r *reader) identity(e *element, number int) error {
	v, err := r.value()
	switch {
	case err != nil:
		return r.syntax(err)
	case e.seen&seenID != 0:
		return r.unaddressed(number, "has its messageId twice", nil)
	case v[0] != '"':
		return r.unaddressed(number, "has a messageId that is no string", nil)
	}
	id, err := r.unquote(v)
	switch {
	case err != nil:
		return r.unaddressed(number, "has a broken messageId", err)
	case len(id) == 0:
		return r.unaddressed(number, "has an empty messageId", nil)
	}
	e.seen |= seenID
	e.id = string(id)
	return nil
}

const awsSQS = "aws:sqs"

// origin reads the eventSource, which must be SQS.
func (r *reader) origin(e *element, number int) error {
	v, err := r.value()
	if err != nil {
		return r.syntax(err)
	}
	if e.seen&seenSource != 0 {
		e.fault("eventSource", sources.ErrDuplicateMember, false)
		return nil
	}
	if v[0] != '"' {
		return r.unaddressed(number, "has an eventSource that is no string", nil)
	}
	if text, err := r.unquote(v); err != nil || string(text) != awsSQS {
		return r.unaddressed(number, fmt.Sprintf("is from %q", text), err)
	}
	e.seen |= seenSource
	return nil
}

// body reads the body.
func (r *reader) body(e *element) error {
	v, err := r.value()
	if err != nil {
		return err
	}
	if !e.first("body", seenBody) {
		return nil
	}
	if v[0] != '"' {
		e.bad("body", "want a string")
		return nil
	}
	// The runtime takes the payload's memory back: this is a copy in any case.
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(v)-2), v)
	if err != nil {
		e.fault("body", fmt.Errorf("%w: %w", sources.ErrBadMember, err), false)
		return nil
	}
	e.rec.Body = text
	return nil
}

// finish makes the record.
func (r *reader) finish(e *element) message {
	e.need("eventSourceARN", seenARN)
	if e.raw.EventSourceARN == "" {
		e.bad("eventSourceARN", "want a string that is not empty")
	}
	e.need("body", seenBody)
	m, rec := &e.message, &e.rec
	rec.ID, rec.MessageID, rec.Source = deadletter.ID(rec.Attributes, e.id), e.id, e.raw.EventSourceARN
	rec.Ordered = strings.HasSuffix(rec.Source, ".fifo")
	if rec.Ordered {
		r.ordered = true
		if rec.Group == "" {
			e.fault("MessageGroupId", sources.ErrNoMember, true)
		}
	}
	if e.err != nil {
		rec.Raw = refused{e.err}
		return *m
	}
	e.raw.MessageId, e.raw.EventSource, e.raw.Body = e.id, awsSQS, string(rec.Body)
	rec.Raw = e.raw
	return *m
}

// fault notes what is wrong with the record; the first thing is its error.
// hides says that its place in the order of a FIFO queue may be lost with it.
func (e *element) fault(member string, err error, hides bool) {
	if e.err == nil {
		e.err = &sources.EnvelopeError{Envelope: "SQS record", Member: member, Err: err}
	}
	e.hidden = e.hidden || hides
}

// bad is the fault of a member's value; want says what it has to be.
func (e *element) bad(member, want string) {
	e.fault(member, fmt.Errorf("%w: %s", sources.ErrBadMember, want), hidesOrder(member))
}

// first notes that a member is there, and finds fault when it was before.
func (e *element) first(member string, flag seen) bool {
	if e.seen&flag != 0 {
		e.fault(member, sources.ErrDuplicateMember, hidesOrder(member))
		return false
	}
	e.seen |= flag
	return true
}

// need finds fault with a member that is not there.
func (e *element) need(member string, flag seen) {
	if e.seen&flag == 0 {
		e.fault(member, sources.ErrNoMember, hidesOrder(member))
	}
}

// hidesOrder reports whether the place in the order depends on the member.
func hidesOrder(member string) bool { return member == "eventSourceARN" || member == "attributes" }
