package powertools

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Data returns, as JSON, the value that the old function hashed for a record:
// what its JMESPath expression selected. What it does not find is null.
type Data func(rec *consumer.Record) ([]byte, error)

// MessageID is the Data of the expression "messageId" on SQS records.
func MessageID(rec *consumer.Record) ([]byte, error) {
	return quoted([]byte(cmp.Or(rec.MessageID, rec.ID)))
}

// ID is the Data of the expression "id" on EventBridge events.
func ID(rec *consumer.Record) ([]byte, error) { return quoted([]byte(rec.ID)) }

// Text is the Data of the expression "body" on SQS records: the body as the
// text that it is, with all its spaces, and not the JSON in it.
func Text(rec *consumer.Record) ([]byte, error) { return quoted(rec.Body) }

// Field returns the Data of an expression that selects one value. The JSON
// Pointer (RFC 6901) leads to it from the body of the record: "/order_id" for
// "powertools_json(body).order_id" on SQS records, for "detail.order_id" on
// EventBridge events and for "order_id" where the old function got the decoded
// body. An empty pointer is the whole body.
//
// The body is read strictly, as [dedupe.Field] does. Field panics when the
// pointer is malformed.
func Field(pointer string) Data {
	if !jsontext.Pointer(pointer).IsValid() {
		panic(fmt.Sprintf("powertools: Field: %q is not a JSON Pointer such as \"/order_id\"", pointer))
	}
	return func(rec *consumer.Record) ([]byte, error) {
		value, err := find(rec.Body, jsontext.Pointer(pointer))
		if err != nil {
			return nil, &dedupe.KeyError{Part: strconv.Quote(pointer), Err: err}
		}
		return value, nil
	}
}

// Fields returns the Data of an expression that selects a list of values, such
// as "powertools_json(body).[tenant, order_id]", also one of a single value.
func Fields(pointers ...string) Data {
	if len(pointers) == 0 {
		panic("powertools: Fields needs a JSON Pointer")
	}
	fields := make([]Data, len(pointers))
	for i, p := range pointers {
		fields[i] = Field(p)
	}
	return func(rec *consumer.Record) ([]byte, error) {
		list := []byte{'['}
		for i, field := range fields {
			if i > 0 {
				list = append(list, ',')
			}
			value, err := field(rec)
			if err != nil {
				return nil, err
			}
			list = append(list, value...)
		}
		return append(list, ']'), nil
	}
}

func quoted(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, dedupe.ErrInvalidUTF8
	}
	return jsontext.AppendQuote(nil, text)
}

// find reads all of body and returns the value at the pointer, null for none.
func find(body []byte, pointer jsontext.Pointer) ([]byte, error) {
	f := finder{dec: jsontext.NewDecoder(bytes.NewReader(body)), pointer: pointer, value: []byte("null")}
	err := f.walk("")
	if err == nil {
		err = end(f.dec)
	}
	if err == nil {
		return f.value, nil
	}
	kind := dedupe.ErrNotJSON
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		kind = dedupe.ErrDuplicateMember
	case !utf8.Valid(body):
		kind = dedupe.ErrInvalidUTF8
	}
	return nil, fmt.Errorf("%w: %w", kind, err)
}

// end returns an error when there is data behind the value.
func end(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err == nil {
		return errors.New("data behind the value")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

type finder struct {
	dec     *jsontext.Decoder
	pointer jsontext.Pointer
	value   []byte
}

// walk reads the next value, which stands at the pointer at.
func (f *finder) walk(at jsontext.Pointer) error {
	if at == f.pointer || !at.Contains(f.pointer) {
		v, err := f.dec.ReadValue()
		if err == nil && at == f.pointer {
			f.value = bytes.Clone(v)
		}
		return err
	}
	open, err := f.dec.ReadToken()
	if err != nil {
		return err
	}
	switch open.Kind() {
	case jsontext.KindBeginObject:
		for f.dec.PeekKind() != jsontext.KindEndObject {
			name, err := f.dec.ReadToken()
			if err != nil {
				return err
			}
			if err := f.walk(at.AppendToken(name.String())); err != nil {
				return err
			}
		}
	case jsontext.KindBeginArray:
		for i := 0; f.dec.PeekKind() != jsontext.KindEndArray; i++ {
			if err := f.walk(at.AppendToken(strconv.Itoa(i))); err != nil {
				return err
			}
		}
	default:
		return nil // a scalar: the pointer leads nowhere
	}
	_, err = f.dec.ReadToken()
	return err
}
