package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// inStream is a record of a stream: its sequence number, its key, its body.
type inStream struct{ sequence, key, body string }

func kinesisRecord(r inStream) string {
	return fmt.Sprintf(`{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":%q,"sequenceNumber":%q,"data":%q,"approximateArrivalTimestamp":1545084650.987},`+
		`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:%s","eventName":"aws:kinesis:record",`+
		`"invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/orders"}`,
		r.key, r.sequence, base64.StdEncoding.EncodeToString([]byte(r.body)), r.sequence)
}

func dynamoDBRecord(r inStream) string {
	return fmt.Sprintf(`{"eventID":"id-%s","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-west-2",`+
		`"dynamodb":{"Keys":{"Id":{"S":%q}},"NewImage":{"Id":{"S":%q},"body":{"S":%q}},"ApproximateCreationDateTime":1428537600,"SequenceNumber":%q,"SizeBytes":26,`+
		`"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn:aws:dynamodb:us-west-2:123456789012:table/ExampleTable/stream/2015-06-27T00:48:05.899"}`,
		r.sequence, r.key, r.key, r.body, r.sequence)
}

// streams are the two kinds of streams, whose rules are the same.
var streams = []struct {
	name   string
	record func(inStream) string
	handle func(*dedupe.Guard, consumer.Handler, ...lambdasource.Options) *lambdasource.BatchHandler
	key    string // how the key stands in a record's JSON
}{
	{"Kinesis", kinesisRecord, lambdasource.Kinesis, `"partitionKey"`},
	{"DynamoDBStream", dynamoDBRecord, lambdasource.DynamoDBStream, `"Keys"`},
}

func streamPayload(record func(inStream) string, rs ...inStream) []byte {
	var texts []string
	for _, r := range rs {
		texts = append(texts, record(r))
	}
	return []byte(`{"Records":[` + strings.Join(texts, ",") + `]}`)
}

// sequences is a handler that notes the sequence numbers it was called with,
// and fails those named.
func sequences(ran *[]string, bad ...string) consumer.Handler {
	return consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		*ran = append(*ran, rec.MessageID)
		if slices.Contains(bad, rec.MessageID) {
			return errRefused
		}
		return nil
	})
}

// reported returns the one sequence number that an answer names, or nothing.
func reported(t *testing.T, h lambda.Handler, payload []byte) string {
	t.Helper()
	response, err := h.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(string(response), `{"batchItemFailures":[`), `]}`)
	return strings.TrimSuffix(strings.TrimPrefix(text, `{"itemIdentifier":"`), `"}`)
}

// Of a stream the lowest sequence number that failed is reported, as a number
// and nothing else; nothing behind a failure of its key runs; and when it all
// comes again what was done is skipped.
func TestStream(t *testing.T) {
	for _, s := range streams {
		store := memdedupe.New()
		payload := streamPayload(s.record, inStream{"8", "a", "1"}, inStream{"9", "b", "1"}, inStream{"10", "a", "2"}, inStream{"11", "c", "1"},
			inStream{"00012", "b", "2"}, inStream{"100", "a", "3"})
		for _, turn := range []struct {
			bad  []string
			want string
			ran  string
		}{
			{[]string{"9", "10"}, "9", "8 9 10 11"},
			{[]string{"10", "00012"}, "10", "9 10 00012"},
			{[]string{"100", "00012"}, "00012", "10 00012 100"},
			{nil, "", "00012 100"},
			{nil, "", ""},
		} {
			var ran []string
			h := s.handle(dedupe.New(store, dedupe.Options{Consumer: "test"}), sequences(&ran, turn.bad...), lambdasource.Options{Concurrency: 1})
			if got := reported(t, h, payload); got != turn.want {
				t.Errorf("%s, %q fail: got %q reported, want %q", s.name, turn.bad, got, turn.want)
			}
			slices.SortFunc(ran, func(a, b string) int {
				return strings.Index(string(payload), `"`+a+`"`) - strings.Index(string(payload), `"`+b+`"`)
			})
			if got := strings.Join(ran, " "); got != turn.ran {
				t.Errorf("%s, %q fail: ran %q, want %q", s.name, turn.bad, got, turn.ran)
			}
		}
	}
}

// When every record failed the invocation does, unless told otherwise: then
// the answer is the first.
func TestStreamAllFailed(t *testing.T) {
	for _, s := range streams {
		payload := streamPayload(s.record, inStream{"10", "a", "1"}, inStream{"9", "b", "1"})
		var ran []string
		_, err := s.handle(nil, sequences(&ran, "9", "10"), lambdasource.Options{Concurrency: 1}).Invoke(t.Context(), payload)
		if fe, ok := errors.AsType[*lambdasource.FailedError](err); !ok || fe.Records != 2 || fe.Failed != 2 || !errors.Is(err, errRefused) {
			t.Errorf("%s: got %v, want a FailedError of two", s.name, err)
		}
		h := s.handle(nil, sequences(&ran, "9", "10"), lambdasource.Options{Concurrency: 1, ReportAllFailed: true})
		if got := reported(t, h, payload); got != "9" {
			t.Errorf("%s: got %q reported, want 9", s.name, got)
		}
	}
}

// Records of one key run one after another, those of different keys side by
// side.
func TestStreamOrder(t *testing.T) {
	for _, s := range streams {
		a, release := make(chan string, 10), make(chan struct{})
		h := s.handle(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if rec.MessageID == "1" {
				<-release
			}
			if rec.MessageID == "3" {
				close(release) // it got here while 1 was running
			}
			a <- rec.MessageID
			return nil
		}))
		if got := reported(t, h, streamPayload(s.record, inStream{"1", "a", ""}, inStream{"2", "a", ""}, inStream{"3", "b", ""})); got != "" {
			t.Errorf("%s: got %q reported", s.name, got)
		}
		if first := <-a; first != "3" {
			t.Errorf("%s: got %s first, want 3", s.name, first)
		}
		if second := <-a; second != "1" {
			t.Errorf("%s: got %s next, want 1 before 2", s.name, second)
		}
	}
}

// A record of a stream that cannot be read fails, and nothing behind it runs,
// for its key is not known; what stands before it does. Without a sequence
// number to report, nothing is run at all.
func TestStreamBroken(t *testing.T) {
	for _, s := range streams {
		good := string(streamPayload(s.record, inStream{"1", "a", ""}, inStream{"2", "b", ""}, inStream{"3", "c", ""}))
		second := s.record(inStream{"2", "b", ""})
		for name, by := range map[string]string{
			"key":    strings.Replace(second, s.key, `"other"`, 1),
			"id":     strings.Replace(second, `"eventID"`, `"eventId"`, 1),
			"source": strings.Replace(second, `"eventSource":"aws:`, `"eventSource":"not:`, 1),
			"arn":    strings.Replace(second, `"eventSourceARN":"`, `"eventSourceARN":7,"x":"`, 1),
			"twice":  strings.Replace(second, `"eventName"`, `"eventID":"x","eventName"`, 1),
		} {
			var ran []string
			h := s.handle(nil, sequences(&ran), lambdasource.Options{Concurrency: 1})
			if got := reported(t, h, []byte(strings.Replace(good, second, by, 1))); got != "2" || !slices.Equal(ran, []string{"1"}) {
				t.Errorf("%s, %s: got %q reported and ran %q, want 2 reported and only 1 run", s.name, name, got, ran)
			}
		}
		for name, by := range map[string]string{
			"null": "null", "empty": "{}", "text": `"2"`,
			"no number":    strings.Replace(strings.Replace(second, `"sequenceNumber":"2"`, `"x":"2"`, 1), `"SequenceNumber":"2"`, `"x":"2"`, 1),
			"bad number":   strings.Replace(strings.Replace(second, `"sequenceNumber":"2"`, `"sequenceNumber":"-2"`, 1), `"SequenceNumber":"2"`, `"SequenceNumber":"2e1"`, 1),
			"two numbers":  strings.Replace(strings.Replace(second, `"sequenceNumber":"2"`, `"sequenceNumber":"2","sequenceNumber":"3"`, 1), `"SequenceNumber":"2"`, `"SequenceNumber":"2","SequenceNumber":"2"`, 1),
			"empty number": strings.Replace(strings.Replace(second, `"sequenceNumber":"2"`, `"sequenceNumber":""`, 1), `"SequenceNumber":"2"`, `"SequenceNumber":""`, 1),
		} {
			var ran []string
			response, err := s.handle(nil, sequences(&ran)).Invoke(t.Context(), []byte(strings.Replace(good, second, by, 1)))
			if pe, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || response != nil || len(ran) > 0 || !strings.Contains(pe.Got, "number 2") {
				t.Errorf("%s, %s: got %s, %v and ran %q, want a PayloadError about number 2", s.name, name, response, err, ran)
			}
		}
	}
}

// The handler of one source says of the payload of another which one reads it.
func TestStreamPayloadError(t *testing.T) {
	kinesis := streamPayload(kinesisRecord, inStream{"1", "a", ""})
	dynamo := streamPayload(dynamoDBRecord, inStream{"1", "a", ""})
	topic := []byte(`{"Records":[{"EventSource":"aws:sns","Sns":{}}]}`)
	queue := batchOf(t, "a")
	for _, row := range []struct {
		h       lambda.Handler
		payload []byte
		do      string
	}{
		{lambdasource.Kinesis(nil, new(journal)), nil, "let nothing but a Kinesis event source mapping"},
		{lambdasource.Kinesis(nil, new(journal)), []byte(event), "lambdasource.EventBridge"},
		{lambdasource.DynamoDBStream(nil, new(journal)), []byte(`[]`), "lambdasource.Pipes"},
		{lambdasource.EventBridge(nil, new(journal)), kinesis, "lambdasource.Kinesis"},
		{lambdasource.EventBridge(nil, new(journal)), dynamo, "lambdasource.DynamoDBStream"},
		{lambdasource.Scheduler(nil, new(journal)), topic, "lambdasource.SNS"},
		{lambdasource.Scheduler(nil, new(journal)), []byte(`{"job":1}`), "sources.Scheduler"},
		{lambdasource.SNS(nil, new(journal)), queue, "lambdasource.SQS"},
		{lambdasource.EventBus(nil, new(journal)), queue, "lambdasource.SQS"},
		{lambdasource.EventBus(nil, new(journal)), []byte(`{"failedMessages":[]}`), "custom event bus"},
		{lambdasource.Pipes(nil, new(journal)), queue, "lambdasource.SQS"},
	} {
		response, err := row.h.Invoke(t.Context(), row.payload)
		if pe, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || response != nil || !strings.Contains(pe.Do, row.do) {
			t.Errorf("%T, %.80s: got %s, %v, want a PayloadError that says %q", row.h, row.payload, response, err, row.do)
		}
	}
}

// An EventBridge event in a stream is known by its own id, and keeps its place
// in the order.
func TestKinesisEventBridge(t *testing.T) {
	var ran []string
	h := lambdasource.Kinesis(newGuard(dedupe.Options{}), sequences(&ran, "2"), lambdasource.Options{Concurrency: 1, Decode: sources.EventBridge})
	other := strings.Replace(event, "event-1", "event-2", 1)
	payload := streamPayload(kinesisRecord, inStream{"1", "a", event}, inStream{"2", "a", other}, inStream{"3", "a", event}, inStream{"4", "b", event})
	if got := reported(t, h, payload); got != "2" || !slices.Equal(ran, []string{"1", "2"}) {
		t.Errorf("got %q reported and ran %q, want 2 reported, and 4 skipped as the event in 1", got, ran)
	}
	_, err := h.Invoke(t.Context(), streamPayload(kinesisRecord, inStream{"2", "a", other}, inStream{"5", "a", "x"}))
	if !errors.Is(err, errRefused) || !errors.Is(err, batch.ErrGroupFailed) && !errors.Is(err, sources.ErrNotEnvelope) {
		t.Errorf("got %v", err)
	}
}

// A handler that ignores its context keeps its record's bytes, although the
// runtime uses the payload's memory again: of a stream, of a pipe, of a topic.
func TestRecordsKeepTheirBytes(t *testing.T) {
	for name, s := range payloads(t) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var bodies []string
			release := make(chan struct{})
			h := s.make(consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
				<-release
				mu.Lock()
				defer mu.Unlock()
				bodies = append(bodies, string(rec.Body)+rec.Group)
				return nil
			}))
			payload := bytes.Clone(s.payload)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if response, err := h.Invoke(ctx, payload); err == nil && string(response) == "null" {
				t.Errorf("%s: got %s, want a failure", name, response)
			}
			copy(payload, bytes.Repeat([]byte("#"), len(payload)))
			close(release)
			synctest.Wait()
			if len(bodies) == 0 || strings.Contains(strings.Join(bodies, ""), "#") {
				t.Errorf("%s: a record changed under its handler: %q", name, bodies)
			}
		})
	}
}
