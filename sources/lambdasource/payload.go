package lambdasource

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/sources"
)

// PayloadError is the failure of an invocation whose payload is not what the
// handler reads. Nothing was handled.
type PayloadError struct {
	Want string // what the handler reads: "an SQS event", "an EventBridge event", ...
	Got  string // what arrived
	Do   string // what to do about it
	Err  error  // what is wrong with it, nil when Got says it all
}

func (e *PayloadError) Error() string {
	text := fmt.Sprintf("lambdasource: want %s, got %s", e.Want, e.Got)
	if e.Err != nil {
		text += ": " + inEnvelope(e.Err)
	}
	return text + "; " + e.Do
}

// inEnvelope is the text of err without what an EnvelopeError advises: Do
// knows better what arrived.
func inEnvelope(err error) string {
	ee, ok := errors.AsType[*sources.EnvelopeError](err)
	switch {
	case !ok:
		return err.Error()
	case ee.Member != "":
		return fmt.Sprintf("member %q: %v", ee.Member, ee.Err)
	}
	return ee.Err.Error()
}

// Unwrap returns what is wrong with the payload.
func (e *PayloadError) Unwrap() error { return e.Err }

const (
	anSQSEvent        = "an SQS event"
	anEventBridgeOne  = "an EventBridge event"
	anArray           = "a JSON array, as EventBridge Pipes sends it"
	anObjectOfRecords = "an object with Records"
	anObject          = "an object without Records"
)

// badEvent is the failure of a payload in which no event can be read.
func (s source) badEvent(payload []byte, err error) *PayloadError {
	got := shape(payload)
	e := s.badPayload(payload, got, err)
	object := got == anEventBridgeOne || got == anObject
	if s.name == "EventBridge" && object && errors.Is(err, sources.ErrNoMember) {
		e.Do = "remove the Input, InputPath or InputTransformer of the rule's target, if it has one: it strips the envelope;" +
			" and let nothing but an EventBridge rule invoke this function"
	}
	switch got {
	case s.wants:
		e.Got = "a broken one"
	case anObject:
		e.Got = "some other object"
	case anArray:
		if s.name == "EventBus" {
			e.Got = "an array of others"
		}
	}
	return e
}

// badPayload is the failure of a payload that is something else.
func (s source) badPayload(payload []byte, got string, err error) *PayloadError {
	e := &PayloadError{Want: s.wants, Got: got, Err: err, Do: "let nothing but " + s.from + " invoke this function"}
	switch got {
	case s.wants:
	case anEventBridgeOne:
		e.Do = "use lambdasource.EventBridge for the target of an EventBridge rule"
	case anArray:
		if s.name != "EventBus" {
			e.Do = "use lambdasource.Pipes for the target of a pipe, lambdasource.EventBus for that of a custom event bus"
		}
	case anObjectOfRecords:
		for _, other := range []source{sqsSource(), kinesisSource(), dynamoDBSource(), snsSource()} {
			if other.name != s.name && other.sends(payload) {
				e.Do = "use lambdasource." + other.name + " for " + other.from
			}
		}
	}
	return e
}

// sends reports whether the first of the records in a payload is the source's.
func (s source) sends(payload []byte) bool {
	records, err := only(payload, "Records")
	if err != nil {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(records), lax())
	if _, err := dec.ReadToken(); err != nil || dec.PeekKind() == jsontext.KindEndArray {
		return false
	}
	first, err := dec.ReadValue()
	if err != nil {
		return false
	}
	from, err := only(first, "eventSource")
	if err != nil {
		from, err = only(first, "EventSource")
	}
	return err == nil && string(from) == `"`+s.origin+`"`
}

// shape says in a few words what a payload is.
func shape(payload []byte) string {
	if len(bytes.TrimSpace(payload)) == 0 {
		return "an empty payload"
	}
	value := jsontext.Value(payload)
	if !value.IsValid(lax()) {
		return "no JSON"
	}
	switch kind := value.Kind(); kind {
	case jsontext.KindBeginObject:
		return shapeOfObject(payload)
	case jsontext.KindBeginArray:
		return anArray
	case jsontext.KindString, jsontext.KindNumber:
		return "a JSON " + kind.String()
	default:
		return "the JSON value " + kind.String()
	}
}

// kindName says what a JSON value is.
func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindString, jsontext.KindNumber:
		return "a " + kind.String()
	default: // null, true, false
		return kind.String()
	}
}

// shapeOfObject tells objects apart by their members.
func shapeOfObject(payload []byte) string {
	got := anObject
	dec := jsontext.NewDecoder(bytes.NewBuffer(payload), lax())
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != jsontext.KindEndObject {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil {
			break
		}
		switch name.String() {
		case "Records":
			return anObjectOfRecords
		case "detail-type":
			got = anEventBridgeOne
		}
		err = dec.SkipValue()
	}
	return got
}
