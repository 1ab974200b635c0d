package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// A Splitter makes several records of one whose body holds several, each with
// an identity of its own. It returns new records, in order, and changes
// nothing in rec. With an error beside them they can be run, but rec cannot be
// done; without any and without an error there is nothing to do. It is called
// from several goroutines at once, with different records.
type Splitter func(rec *consumer.Record) ([]*consumer.Record, error)

var _ = []Splitter{SNSEvent, S3Event, EventBusBatch}

// mostElements bounds what one body is split into: no source delivers more
// (Lambda's largest batch).
const mostElements = 10_000

// errBehind is the failure of a part that keeps order and stands behind one
// that could not be read: it may be of the same group.
var errBehind = errors.New("stands behind a record that could not be read")

var errBehindArray = errors.New("data behind the array")

// records splits an object with Records.
func records(rec *consumer.Record, envelope string, decode Decoder) ([]*consumer.Record, error) {
	var array []byte
	r := reader{envelope: envelope, body: rec.Body}
	if err := r.read(member{name: "Records", array: &array, required: true}); err != nil {
		return nil, err
	}
	return r.split("Records", array, rec, decode)
}

// split makes a record of each element of an array, which is JSON.
func (r *reader) split(name string, array []byte, rec *consumer.Record, decode Decoder) ([]*consumer.Record, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(array), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, r.syntax(err)
	}
	if dec.PeekKind() == jsontext.KindEndArray {
		return nil, r.bad(name, "want records in it") // none is sent, so this is something else
	}
	var parts []*consumer.Record
	var broken []error
	for n := 1; dec.PeekKind() != jsontext.KindEndArray; n++ {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, r.syntax(err)
		}
		if n > mostElements {
			return nil, r.fail(name, ErrTooMany)
		}
		end := int(dec.InputOffset())
		part := partOf(rec, array[end-len(value):end:end])
		err = decode(part)
		if err == nil && part.Ordered && len(broken) > 0 {
			err = errBehind
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("number %d: %w", n, err))
			continue
		}
		parts = append(parts, part)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, r.syntax(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, r.syntax(errBehindArray)
	}
	return parts, errors.Join(broken...)
}

// partOf returns a record like rec for one of its elements.
func partOf(rec *consumer.Record, element []byte) *consumer.Record {
	part := *rec
	part.Attributes = maps.Clone(rec.Attributes)
	part.Body = element
	if part.Raw == nil {
		part.Raw = json.RawMessage(element)
	}
	return &part
}
