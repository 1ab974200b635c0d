package lambdasource

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/sources"
)

// text reads a member that is a string. same, if given, is its value in the
// message before.
func (r *reader) text(e *element, member string, flag seen, to, same *string) error {
	v, err := r.value()
	if err == nil && e.first(member, flag) {
		*to = r.string(e, member, v, same)
	}
	return err
}

// string returns the text of a value, or finds fault with it.
func (r *reader) string(e *element, member string, v []byte, same *string) string {
	if v[0] != '"' {
		e.bad(member, "want a string")
		return ""
	}
	text, err := r.unquote(v)
	switch {
	case err != nil:
		e.fault(member, fmt.Errorf("%w: %w", sources.ErrBadMember, err), hidesOrder(member))
		return ""
	case same == nil:
		return string(text)
	case string(text) != *same:
		*same = string(text)
	}
	return *same
}

var errNotStrict = errors.New("duplicate member or invalid Unicode inside")

// unknown passes over a member that means nothing here, unless two readers
// could see two different things in it.
func (r *reader) unknown(e *element, name string) error {
	v, err := r.value()
	if err != nil {
		return err
	}
	if _, twice := e.others[name]; twice {
		e.fault(name, sources.ErrDuplicateMember, false)
		return nil
	}
	if e.others == nil {
		e.others = make(map[string]struct{})
	}
	e.others[name] = struct{}{}
	if !jsontext.Value(v).IsValid() {
		e.fault(name, fmt.Errorf("%w: %w", sources.ErrBadMember, errNotStrict), false)
	}
	return nil
}

// object calls each for every member of an object. A null counts as an empty
// one: it is how Go writes an event that was made by hand.
func (r *reader) object(e *element, member string, flag seen, each func(name, value []byte)) error {
	first := e.first(member, flag)
	if kind := r.dec.PeekKind(); !first || kind != jsontext.KindBeginObject {
		_, err := r.dec.ReadValue()
		if err == nil && first && kind != jsontext.KindNull {
			e.bad(member, "want an object")
		}
		return err
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != jsontext.KindEndObject {
		name, err := r.value()
		if err != nil {
			return err
		}
		value, err := r.value()
		if err != nil {
			return err
		}
		each(name, value)
	}
	_, err := r.dec.ReadToken()
	return err
}

// attributes reads what SQS itself says of the message.
func (r *reader) attributes(e *element) error {
	const member = "attributes"
	return r.object(e, member, seenAttributes, func(rawName, v []byte) {
		name := r.attributeName(e, rawName)
		if _, twice := e.raw.Attributes[name]; twice {
			e.fault(name, sources.ErrDuplicateMember, true)
			return
		}
		var same *string
		if name == "SenderId" {
			same = &r.sender
		}
		value := r.string(e, member, v, same)
		if e.raw.Attributes == nil {
			e.raw.Attributes = make(map[string]string, 6)
		}
		e.raw.Attributes[name] = value
		switch name {
		case "MessageGroupId":
			e.rec.Group = value
		case "ApproximateReceiveCount":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				e.rec.Attempt = n
				return
			}
			e.fault(name, fmt.Errorf("%w: want a count", sources.ErrBadMember), false)
		case "SentTimestamp":
			if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
				e.rec.Time = time.UnixMilli(ms).UTC()
				return
			}
			e.fault(name, fmt.Errorf("%w: want milliseconds", sources.ErrBadMember), false)
		}
	})
}

// attributeName returns the name of an attribute, without allocating for
// those that most messages have.
func (r *reader) attributeName(e *element, raw []byte) string {
	switch string(raw[1 : len(raw)-1]) {
	case "ApproximateReceiveCount":
		return "ApproximateReceiveCount"
	case "ApproximateFirstReceiveTimestamp":
		return "ApproximateFirstReceiveTimestamp"
	case "SentTimestamp":
		return "SentTimestamp"
	case "SenderId":
		return "SenderId"
	case "SequenceNumber":
		return "SequenceNumber"
	case "MessageGroupId":
		return "MessageGroupId"
	case "MessageDeduplicationId":
		return "MessageDeduplicationId"
	}
	return r.string(e, "attributes", raw, nil)
}

// messageAttributes reads what the sender said of the message.
func (r *reader) messageAttributes(e *element) error {
	const member = "messageAttributes"
	return r.object(e, member, seenMessageAttributes, func(rawName, v []byte) {
		name := r.string(e, member, rawName, nil)
		if _, twice := e.raw.MessageAttributes[name]; twice {
			e.fault(name, sources.ErrDuplicateMember, false)
			return
		}
		var a events.SQSMessageAttribute
		if v[0] != '{' {
			e.bad(member, "want an object for each")
			return
		}
		if err := json.Unmarshal(v, &a); err != nil {
			e.fault(member, fmt.Errorf("%w: %w", sources.ErrBadMember, err), false)
			return
		}
		if e.raw.MessageAttributes == nil {
			e.raw.MessageAttributes = make(map[string]events.SQSMessageAttribute)
		}
		e.raw.MessageAttributes[name] = a
		if a.StringValue == nil {
			return
		}
		if e.rec.Attributes == nil {
			e.rec.Attributes = make(map[string]string)
		}
		e.rec.Attributes[name] = *a.StringValue
	})
}
