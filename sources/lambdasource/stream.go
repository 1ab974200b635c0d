package lambdasource

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

// streamElement reads one record of a stream. What is around its sequence
// number is in the member about. The error is a [PayloadError], for a record
// that has no sequence number to report.
func (r *reader) streamElement(decode sources.Decoder, about, sequence string) error {
	number := len(r.messages)
	if number == mostRecords {
		return r.bad("more records than Lambda delivers", nil)
	}
	element, err := r.copied()
	if err != nil {
		return r.syntax(err)
	}
	m := message{rec: consumer.Record{Body: element, Raw: json.RawMessage(element)}}
	if err := decode(&m.rec); err != nil {
		// Its key may be that of all behind it.
		m.rec.Raw, m.hidden, r.ordered = refused{err}, true, true
		m.id = sequenceOf(element, about, sequence)
		if m.id == "" {
			return r.unaddressed(number, "has no sequence number", err)
		}
	} else {
		m.id = m.rec.MessageID
	}
	r.messages = append(r.messages, m)
	return nil
}

// mostRecords is the largest batch of a stream (Lambda, CreateEventSourceMapping).
const mostRecords = 10_000

// copied reads a value into memory that is ours: the runtime takes that of the
// payload back.
func (r *reader) copied() ([]byte, error) {
	v, err := r.value()
	return bytes.Clone(v), err
}

// sequenceOf returns the sequence number of a record that is broken, or
// nothing where it is not there, no number, or there twice.
func sequenceOf(element []byte, about, sequence string) string {
	outer, err := only(element, about)
	if err != nil {
		return ""
	}
	raw, err := only(outer, sequence)
	if err != nil || raw[0] != '"' {
		return ""
	}
	text := raw[1 : len(raw)-1]
	if len(text) == 0 || len(bytes.Trim(text, "0123456789")) > 0 {
		return ""
	}
	return string(text)
}

var errNotOnce = errors.New("not there, or twice")

// only returns the one member of that name of an object.
func only(object []byte, name string) (found []byte, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lax())
	if dec.PeekKind() != jsontext.KindBeginObject {
		return nil, errNotOnce
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		here := token.String() == name
		value, err := dec.ReadValue()
		switch {
		case err != nil:
			return nil, err
		case here && found != nil:
			return nil, errNotOnce
		case here:
			found = bytes.Clone(value)
		}
	}
	if found == nil {
		return nil, errNotOnce
	}
	return found, nil
}

// pipesElement reads one element of a pipe's array: a message of a queue, or
// what else Decode reads where there is one.
func (r *reader) pipesElement() error {
	number := len(r.messages)
	if !r.source.bare {
		return r.record()
	}
	element, err := r.copied()
	if err != nil {
		return r.syntax(err)
	}
	_, noSource := only(element, "eventSource")
	_, noID := only(element, "messageId")
	bare := noSource != nil && noID != nil
	switch {
	case number == 0:
		r.isBare = bare
	case bare != r.isBare:
		return r.unaddressed(number, "is unlike those before it", nil)
	case number == mostRecords:
		return r.bad("more records than a pipe delivers", nil)
	}
	if bare {
		r.messages = append(r.messages, message{rec: consumer.Record{Body: element, Raw: json.RawMessage(element)}})
		return nil
	}
	inner := *r
	inner.payload, inner.dec = element, jsontext.NewDecoder(bytes.NewBuffer(element), lax())
	if err := inner.record(); err != nil {
		return err
	}
	r.messages, r.ordered, r.scratch = inner.messages, inner.ordered, inner.scratch
	return nil
}
