package sources

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Kinesis reads a record of a Kinesis stream as Lambda delivers it. ID is made
// of the stream's ARN and the eventID, which is the shard and the sequence
// number; MessageID is the sequence number, Source the stream's ARN, Group the
// partition key, Time the arrival, Body the data. The record is Ordered.
func Kinesis(rec *consumer.Record) error {
	var data string
	at := rec.Time
	r := reader{envelope: kinesis, body: rec.Body}
	s, err := r.stream("aws:kinesis")
	if err == nil {
		err = r.within("kinesis", s.about,
			member{name: "sequenceNumber", text: &s.sequence, required: true},
			member{name: "partitionKey", text: &s.group, required: true},
			member{name: "data", text: &data, required: true, empty: true},
			member{name: "approximateArrivalTimestamp", seconds: &at})
	}
	if err != nil {
		return err
	}
	if !isNumber(s.sequence) {
		return r.bad("kinesis.sequenceNumber", "want digits")
	}
	body, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return r.fail("kinesis.data", fmt.Errorf("%w: %w", ErrBadMember, err))
	}
	// A mapping with enhanced fan-out reads as a consumer of the stream.
	s.arn, _, _ = strings.Cut(s.arn, "/consumer/")
	s.apply(rec)
	rec.Time, rec.Body = at, body
	return nil
}

// DynamoDBStream reads a record of a DynamoDB stream as Lambda delivers it.
// ID is made of the stream's ARN and the eventID; MessageID is the sequence
// number, Source the stream's ARN, Type the eventName, Group the item's key,
// Time that of the change. The record is Ordered, and its Body stays: the
// whole record.
func DynamoDBStream(rec *consumer.Record) error {
	var keys []byte
	at := rec.Time
	r := reader{envelope: dynamoDBStream, body: rec.Body}
	s, err := r.stream("aws:dynamodb")
	if err == nil {
		err = r.within("dynamodb", s.about,
			member{name: "SequenceNumber", text: &s.sequence, required: true},
			member{name: "Keys", object: &keys, required: true},
			member{name: "ApproximateCreationDateTime", seconds: &at})
	}
	if err == nil {
		s.group, err = r.itemKey(keys)
	}
	if err != nil {
		return err
	}
	if !isNumber(s.sequence) {
		return r.bad("dynamodb.SequenceNumber", "want digits")
	}
	s.apply(rec)
	rec.Type, rec.Time = s.name, at
	return nil
}

// itemKey returns the key of an item as a text: the same one however its
// members are ordered and spelled.
func (r *reader) itemKey(keys []byte) (string, error) {
	const name = "dynamodb.Keys"
	n := 0
	inner := reader{envelope: r.envelope, path: name + ".", body: keys}
	inner.each = func(attribute string, value []byte) error {
		n++
		var s, num, b string
		err := inner.within(attribute, value, member{name: "S", text: &s}, member{name: "N", text: &num}, member{name: "B", text: &b})
		if err == nil && s+num+b == "" {
			err = inner.bad(attribute, "want a string, a number or bytes")
		}
		return err
	}
	if err := inner.read(); err != nil {
		return "", err
	}
	if n == 0 {
		return "", r.bad(name, "want attributes")
	}
	text := jsontext.Value(bytes.Clone(keys))
	if err := text.Canonicalize(); err != nil {
		return "", r.fail(name, fmt.Errorf("%w: %w", ErrBadMember, err))
	}
	return string(text), nil
}

// streamRecord is what records of both kinds of streams have.
type streamRecord struct {
	id, name, arn, sequence, group string
	about                          []byte // the member that describes the change
}

// stream reads what stands around a record of a stream.
func (r *reader) stream(source string) (s streamRecord, err error) {
	var from string
	err = r.read(
		member{name: "eventSource", text: &from, required: true},
		member{name: "eventID", text: &s.id, required: true},
		member{name: "eventName", text: &s.name, required: true},
		member{name: "eventSourceARN", text: &s.arn, required: true},
		member{name: strings.TrimPrefix(source, "aws:"), object: &s.about, required: true})
	if err == nil && from != source {
		err = r.bad("eventSource", "want "+source)
	}
	return s, err
}

func (s *streamRecord) apply(rec *consumer.Record) {
	rec.ID, rec.MessageID, rec.Source = identity(s.arn, s.id), s.sequence, s.arn
	rec.Group, rec.Ordered = s.group, true
}

// isNumber reports whether text is digits alone.
func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
