package lambdasource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/batch"
)

// lax reads whatever is JSON at all. What is wrong inside a record must not
// keep the others from being read; the reader looks for it by itself.
func lax() jsontext.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// reader reads the payload of a source that delivers batches, in one pass.
type reader struct {
	source   source
	payload  []byte
	dec      *jsontext.Decoder
	messages []message
	ordered  bool // records are of a FIFO queue or of a stream
	isBare   bool // elements are no messages
	scratch  []byte

	arn, region, sender string // of the message before: mostly the same again
}

// read returns the messages of a payload, the broken ones included. The error
// is a [PayloadError].
func (s source) read(payload []byte) ([]message, error) {
	r := reader{source: s, payload: payload, dec: jsontext.NewDecoder(bytes.NewBuffer(payload), lax())}
	around := r.event
	if s.array {
		around = r.array
	}
	if err := around(); err != nil {
		return nil, err
	}
	if r.ordered {
		r.keepOrder()
	}
	return r.messages, nil
}

// event reads the object around the records.
func (r *reader) event() error {
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		return r.other()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	records := false
	for r.dec.PeekKind() != jsontext.KindEndObject {
		name, err := r.value()
		if err != nil {
			return r.syntax(err)
		}
		text, err := r.unquote(name)
		if err != nil || string(text) != "Records" {
			if err := r.dec.SkipValue(); err != nil {
				return r.syntax(err)
			}
			continue
		}
		if records {
			return r.bad("an object with Records twice", nil)
		}
		records = true
		if err := r.records(); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	if err := r.end(); err != nil {
		return err
	}
	if !records {
		return r.other()
	}
	return nil
}

// array reads an array of records that stands alone.
func (r *reader) array() error {
	if r.dec.PeekKind() != jsontext.KindBeginArray {
		return r.other()
	}
	if err := r.records(); err != nil {
		return err
	}
	return r.end()
}

// end finds fault with what stands behind the payload.
func (r *reader) end() error {
	switch _, err := r.dec.ReadToken(); {
	case err == nil:
		return r.syntax(errors.New("data behind it"))
	case !errors.Is(err, io.EOF):
		return r.syntax(err)
	}
	return nil
}

// records reads the array.
func (r *reader) records() error {
	if kind := r.dec.PeekKind(); kind != jsontext.KindBeginArray {
		if _, err := r.dec.ReadValue(); err != nil {
			return r.syntax(err)
		}
		return r.bad("an object whose Records is no array but "+kindName(kind), nil)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	r.messages = make([]message, 0, 10) // Lambda's default batch size
	for r.dec.PeekKind() != jsontext.KindEndArray {
		if err := r.source.element(r); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// keepOrder refuses what stands behind a record of a FIFO queue or a stream
// whose group could not be read: it may be of the same group.
func (r *reader) keepOrder() {
	hidden := false
	for i := range r.messages {
		m := &r.messages[i]
		if _, bad := m.rec.Raw.(refused); hidden && !bad {
			m.rec.Raw = refused{&batch.NotStartedError{Cause: batch.ErrGroupFailed}}
		}
		hidden = hidden || m.hidden
	}
}

// value reads a value and returns it as it stands in the payload.
func (r *reader) value() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(r.dec.InputOffset())
	return r.payload[end-len(v) : end : end], nil
}

// unquote returns the text of a JSON string, valid until the next call. The
// error says that it is not valid Unicode.
func (r *reader) unquote(raw []byte) ([]byte, error) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner, nil
	}
	var err error
	r.scratch, err = jsontext.AppendUnquote(r.scratch[:0], raw)
	return r.scratch, err
}

func (r *reader) other() error { return r.bad(shape(r.payload), nil) }

func (r *reader) syntax(err error) error { return r.bad("no JSON", err) }

// bad is the failure of a payload that cannot be read.
func (r *reader) bad(got string, err error) error { return r.source.badPayload(r.payload, got, err) }

// unaddressed is the failure of a payload with a record that cannot be
// reported by an id, or that is of another source.
func (r *reader) unaddressed(number int, what string, err error) error {
	around := "an object with Records"
	if r.source.array {
		around = "an array"
	}
	return r.bad(fmt.Sprintf("%s of which number %d %s", around, number+1, what), err)
}
