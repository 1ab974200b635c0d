package lambdasource_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// good is a record that is as it should be; rows replace parts of it.
const good = `{"messageId":"m1","receiptHandle":"h","body":"hello","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1795263775000","SenderId":"S"},` +
	`"messageAttributes":{"k":{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}},"md5OfBody":"0","eventSource":"aws:sqs",` +
	`"eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders","awsRegion":"eu-central-1"}`

// replaced returns good with old replaced, which must be in it.
func replaced(t testing.TB, old, by string) string {
	t.Helper()
	if strings.Count(good, old) != 1 {
		t.Fatalf("%q is not once in the good record", old)
	}
	return strings.Replace(good, old, by, 1)
}

// What is not an SQS event fails the invocation, says what it was, and runs
// nothing: it never passes for an empty batch.
func TestSQSPayloadError(t *testing.T) {
	neighbour := strings.Replace(good, `"m1"`, `"m2"`, 1)
	in := func(record string) string { return `{"Records":[` + neighbour + `,` + record + `]}` }
	for _, row := range []struct{ name, payload, got string }{
		{"nothing", ``, "an empty payload"},
		{"white space", " \n", "an empty payload"},
		{"not JSON", `Records`, "no JSON"},
		{"cut off", `{"Records":[` + good, "no JSON"},
		{"cut off record", `{"Records":[` + good[:200], "no JSON"},
		{"two values", `{"Records":[]}{}`, "no JSON"},
		{"invalid UTF-8 outside of strings", "{\"Records\":[]\xff}", "no JSON"},
		{"null", `null`, "the JSON value null"},
		{"true", `true`, "the JSON value true"},
		{"string", `"Records"`, "a JSON string"},
		{"number", `17`, "a JSON number"},
		{"pipe", `[` + good + `]`, "a JSON array, as EventBridge Pipes sends it"},
		{"empty array", `[]`, "a JSON array, as EventBridge Pipes sends it"},
		{"empty object", `{}`, "an object without Records"},
		{"other spelling", `{"records":[` + good + `]}`, "an object without Records"},
		{"event", string(sample(t, "eventbridge_rule.json")), "an EventBridge event"},
		{"test event of S3", `{"Service":"Amazon S3","Event":"s3:TestEvent"}`, "an object without Records"},
		{"null list", `{"Records":null}`, "Records is no array but null"},
		{"object for a list", `{"Records":{}}`, "Records is no array but an object"},
		{"text for a list", `{"Records":"[]"}`, "Records is no array but a string"},
		{"number for a list", `{"Records":0}`, "Records is no array but a number"},
		{"true for a list", `{"Records":true}`, "Records is no array but true"},
		{"two lists", `{"Records":[],"Records":[` + good + `]}`, "Records twice"},
		{"two lists, one escaped", `{"Records":[` + good + `],"R\u0065cords":[]}`, "Records twice"},
		{"null record", in(`null`), "number 2 is no object"},
		{"text for a record", in(`"m1"`), "number 2 is no object"},
		{"empty record", in(`{}`), "number 2 has no eventSource"},
		{"S3", in(`{"eventSource":"aws:s3","s3":{}}`), `number 2 is from "aws:s3"`},
		{"SNS", in(`{"EventSource":"aws:sns","Sns":{}}`), "number 2 has no eventSource"},
		{"null source", in(replaced(t, `"aws:sqs"`, `null`)), "number 2 has an eventSource that is no string"},
		{"no id", in(replaced(t, `"messageId":"m1",`, ``)), "number 2 has no messageId"},
		{"null id", in(replaced(t, `"m1"`, `null`)), "number 2 has a messageId that is no string"},
		{"number for an id", in(replaced(t, `"m1"`, `1`)), "number 2 has a messageId that is no string"},
		{"empty id", in(replaced(t, `"m1"`, `""`)), "number 2 has an empty messageId"},
		{"two ids", in(replaced(t, `"m1"`, `"m1","messageId":"m3"`)), "number 2 has its messageId twice"},
		{"invalid UTF-8 in the id", in(replaced(t, `"m1"`, "\"m\xff\"")), "number 2 has a broken messageId"},
		{"half a pair in the id", in(replaced(t, `"m1"`, `"m\ud800"`)), "number 2 has a broken messageId"},
	} {
		j := new(journal)
		response, err := lambdasource.SQS(nil, j).Invoke(t.Context(), []byte(row.payload))
		pe, ok := errors.AsType[*lambdasource.PayloadError](err)
		switch {
		case response != nil || !ok:
			t.Errorf("%s: got %s, %v, want a PayloadError", row.name, response, err)
		case !strings.Contains(pe.Got, row.got) || pe.Do == "" || !strings.Contains(err.Error(), pe.Do):
			t.Errorf("%s: %v, want it to say %q and what to do", row.name, err, row.got)
		}
		if len(j.ran()) != 0 {
			t.Errorf("%s: %q ran", row.name, j.ran())
		}
	}
}

// A record that is broken in itself fails alone and typed, with the member in
// which it is broken; its neighbours are done.
func TestSQSBrokenRecord(t *testing.T) {
	before, after := strings.Replace(good, `"m1"`, `"m0"`, 1), strings.Replace(good, `"m1"`, `"m2"`, 1)
	for _, row := range []struct {
		name, old, by, member string
		want                  error
	}{
		{"no body", `"body":"hello",`, ``, "body", sources.ErrNoMember},
		{"null body", `"hello"`, `null`, "body", sources.ErrBadMember},
		{"object for a body", `"hello"`, `{"a":1}`, "body", sources.ErrBadMember},
		{"two bodies", `"hello"`, `"hello","body":"bye"`, "body", sources.ErrDuplicateMember},
		{"two bodies, one escaped", `"hello"`, `"hello","b\u006fdy":"bye"`, "body", sources.ErrDuplicateMember},
		{"invalid UTF-8 in the body", `"hello"`, "\"h\xffllo\"", "body", sources.ErrBadMember},
		{"half a pair in the body", `"hello"`, `"h\ud83dllo"`, "body", sources.ErrBadMember},
		{"other half in the body", `"hello"`, `"h\ude00llo"`, "body", sources.ErrBadMember},
		{"no ARN", `"eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders",`, ``, "eventSourceARN", sources.ErrNoMember},
		{"number for an ARN", `"arn:aws:sqs:eu-central-1:123456789012:orders"`, `1`, "eventSourceARN", sources.ErrBadMember},
		{"empty ARN", `"arn:aws:sqs:eu-central-1:123456789012:orders"`, `""`, "eventSourceARN", sources.ErrBadMember},
		{"two sources", `"aws:sqs"`, `"aws:sqs","eventSource":"aws:sqs"`, "eventSource", sources.ErrDuplicateMember},
		{"two handles", `"h"`, `"","receiptHandle":"i"`, "receiptHandle", sources.ErrDuplicateMember},
		{"number for a handle", `"h"`, `1`, "receiptHandle", sources.ErrBadMember},
		{"invalid UTF-8 in the region", `"awsRegion":"eu`, "\"awsRegion\":\"\xff", "awsRegion", sources.ErrBadMember},
		{"list for attributes", `{"ApproximateReceiveCount":"1","SentTimestamp":"1795263775000","SenderId":"S"}`, `[]`, "attributes", sources.ErrBadMember},
		{"number for an attribute", `"S"`, `7`, "attributes", sources.ErrBadMember},
		{"null attribute", `"S"`, `null`, "attributes", sources.ErrBadMember},
		{"one attribute twice", `"S"`, `"S","SenderId":"T"`, "SenderId", sources.ErrDuplicateMember},
		{"invalid UTF-8 in an attribute's name", `"SenderId"`, "\"Sender\xff\"", "attributes", sources.ErrBadMember},
		{"attributes twice", `"attributes":`, `"attributes":{},"attributes":`, "attributes", sources.ErrDuplicateMember},
		{"no count", `"ApproximateReceiveCount":"1"`, `"ApproximateReceiveCount":"many"`, "ApproximateReceiveCount", sources.ErrBadMember},
		{"count of 0", `"ApproximateReceiveCount":"1"`, `"ApproximateReceiveCount":"0"`, "ApproximateReceiveCount", sources.ErrBadMember},
		{"no time", `"1795263775000"`, `"2026-11-21"`, "SentTimestamp", sources.ErrBadMember},
		{"text for message attributes", `"messageAttributes":{"k":{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}}`, `"messageAttributes":"k"`, "messageAttributes", sources.ErrBadMember},
		{"text for a message attribute", `{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}`, `"v"`, "messageAttributes", sources.ErrBadMember},
		{"null for a message attribute", `{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}`, `null`, "messageAttributes", sources.ErrBadMember},
		{"number for a text", `"v"`, `1`, "messageAttributes", sources.ErrBadMember},
		{"half a pair in a text", `"v"`, `"\ud800"`, "messageAttributes", sources.ErrBadMember},
		{"two texts", `"v"`, `"v","stringValue":"w"`, "messageAttributes", sources.ErrBadMember},
		{"no base64", `"stringValue":"v"`, `"binaryValue":"%"`, "messageAttributes", sources.ErrBadMember},
		{"one message attribute twice", `"messageAttributes":{`, `"messageAttributes":{"k":{},`, "k", sources.ErrDuplicateMember},
		{"unknown member twice", `"md5OfBody"`, `"x":1,"x":1,"md5OfBody"`, "x", sources.ErrDuplicateMember},
		{"duplicate inside an unknown member", `"md5OfBody"`, `"x":{"a":1,"a":2},"md5OfBody"`, "x", sources.ErrBadMember},
		{"invalid UTF-8 inside an unknown member", `"md5OfBody"`, "\"x\":[\"\xff\"],\"md5OfBody\"", "x", sources.ErrBadMember},
		{"invalid UTF-8 in a name", `"md5OfBody"`, "\"\xff\"", "", nil},
		{"half a pair in a name", `"md5OfBody"`, `"\ud800"`, "", nil},
	} {
		var bodies []string
		h := lambdasource.SQS(nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			bodies = append(bodies, rec.ID)
			return nil
		}), lambdasource.Options{Concurrency: 1})
		broken := replaced(t, row.old, row.by)
		response, err := h.Invoke(t.Context(), []byte(`{"Records":[`+before+`,`+broken+`,`+after+`]}`))
		if err != nil || string(response) != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` {
			t.Errorf("%s: got %s, %v, want m1 reported", row.name, response, err)
		}
		want(t, row.name, bodies, "m0", "m2")

		_, err = h.Invoke(t.Context(), []byte(`{"Records":[`+broken+`]}`))
		ee, ok := errors.AsType[*sources.EnvelopeError](err)
		if !ok || ee.Member != row.member || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v of member %q", row.name, err, row.want, row.member)
		}
	}
}

// Members that are not there, or null as Go writes an empty event, are no
// fault where nothing depends on them, and members of later days are not one
// either.
func TestSQSLenient(t *testing.T) {
	for _, record := range []string{
		`{"messageId":"m1","body":"","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders"}`,
		`{"messageId":"m1","body":"","eventSource":"aws:sqs","eventSourceARN":"a","attributes":null,"messageAttributes":null,"md5OfBody":""}`,
		replaced(t, `"md5OfBody"`, `"x":{"a":[1,{"b":null}]},"md5OfBody"`),
	} {
		want(t, record, failed(t, lambdasource.SQS(nil, new(journal)), []byte(`{"more":[{"x":1,"x":1}],"Records":[`+record+`]}`)))
	}
}
