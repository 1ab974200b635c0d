package lambdasource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// A message whose body is nested 100,000 levels deep, in a body, in the message
// of a topic within it or in an event's detail, fails alone; a key or a decoder
// that looks into it says so, and the others of its batch run.
func TestDeepMessages(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	quote := func(text string) string { b, _ := json.Marshal(text); return string(b) }
	event := func(id, detail string) string {
		return `{"id":"` + id + `","source":"s","detail-type":"t","detail":` + detail + `}`
	}
	note := func(id, message string) string {
		return `{"Type":"Notification","MessageId":"` + id + `","TopicArn":"arn:t","Message":` + quote(message) + `}`
	}
	both := sources.Chain(sources.SNS, sources.EventBridge)
	for name, c := range map[string]struct {
		decode sources.Decoder
		key    dedupe.KeyFunc
		good   func(id string) string
		deep   string
	}{
		"body":                     {nil, dedupe.Field("/id"), func(id string) string { return `{"id":"` + id + `"}` }, `{"id":1,"x":` + deep + `}`},
		"EventBridge in SQS":       {sources.EventBridge, nil, func(id string) string { return event(id, `{}`) }, event("b", `{"a":`+deep+`}`)},
		"SNS in SQS":               {sources.SNS, dedupe.Field("/id"), func(id string) string { return note("n", `{"id":"`+id+`"}`) }, note("b", `{"id":`+deep+`}`)},
		"EventBridge in SNS":       {both, nil, func(id string) string { return note("n", event(id, `{}`)) }, note("b", event("b", `{"a":`+deep+`}`))},
		"SNS, beside its message":  {both, nil, func(id string) string { return note("n", event(id, `{}`)) }, strings.Replace(note("b", event("b", `{}`)), `{`, `{"x":`+deep+`,`, 1)},
		"SNS instead of an object": {sources.SNS, nil, func(id string) string { return note(id, `x`) }, deep},
	} {
		k := new(kept)
		h := lambdasource.SQS(newGuard(dedupe.Options{Key: c.key}), k, lambdasource.Options{Decode: c.decode})
		ms := []events.SQSMessage{message(standardARN, "good", "", c.good("a")), message(standardARN, "deep", "", c.deep), message(standardARN, "more", "", c.good("c"))}
		want(t, name, failed(t, h, payloadOf(t, ms...)), "deep")
		if len(k.recs) != 2 {
			t.Errorf("%s: ran %q, want the two others", name, k.ids())
		}
		_, err := h.Invoke(t.Context(), payloadOf(t, ms[1]))
		_, envelope := errors.AsType[*sources.EnvelopeError](err)
		_, noKey := errors.AsType[*dedupe.KeyError](err)
		if !envelope && !noKey {
			t.Errorf("%s: %v, want an EnvelopeError or a KeyError", name, err)
		}
	}
}

// Messages of 1 MiB, the largest there are (Amazon SQS message quotas), as many
// as a payload of 6 MB holds, arrive as they were sent, also when their key is in
// them.
func TestLargestMessages(t *testing.T) {
	const size = 1 << 20
	var ms []events.SQSMessage
	for i, filling := range []string{"x", `\u00e9`, "é", `[{"a":1}],`, " "} {
		head, tail := `{"id":`+strconv.Itoa(i)+`,"x":"`, `"}`
		switch filling {
		case `[{"a":1}],`:
			head, tail = `{"id":`+strconv.Itoa(i)+`,"x":[`, `0]}`
		case " ":
			head, tail = `{"id":`+strconv.Itoa(i), `}`
		}
		body := head + strings.Repeat(filling, (size-len(head)-len(tail))/len(filling)) + tail
		ms = append(ms, message(standardARN, fmt.Sprint("m", i), "", body))
	}
	k := new(kept)
	h := lambdasource.SQS(newGuard(dedupe.Options{Key: dedupe.Field("/id")}), k)
	for range 2 {
		want(t, "failed", failed(t, h, payloadOf(t, ms...)))
	}
	if len(k.recs) != len(ms) {
		t.Fatalf("ran %q, want each once", k.ids())
	}
	for _, rec := range k.recs {
		i := slices.IndexFunc(ms, func(m events.SQSMessage) bool { return m.MessageId == rec.MessageID })
		if string(rec.Body) != ms[i].Body || len(rec.Body) < size-16 {
			t.Errorf("%s: a body of %d bytes, want the %d that were sent", rec.MessageID, len(rec.Body), len(ms[i].Body))
		}
	}
}

// many is a payload with n records, with what reads it.
type many struct {
	make    func(consumer.Handler) lambda.Handler
	payload func(n int) []byte
	runs    int // the handler's, of each record; 0 for once in all
}

// kinds are payloads of every source that delivers many records.
func kinds(t *testing.T) map[string]many {
	repeated := func(head, tail string, each func(i int) string) func(int) []byte {
		return func(n int) []byte {
			parts := make([]string, n)
			for i := range parts {
				parts[i] = each(i)
			}
			return []byte(head + strings.Join(parts, ",") + tail)
		}
	}
	guarded := func(f func(*dedupe.Guard, consumer.Handler, ...lambdasource.Options) *lambdasource.BatchHandler, o lambdasource.Options) func(consumer.Handler) lambda.Handler {
		return func(h consumer.Handler) lambda.Handler { return f(newGuard(dedupe.Options{}), h, o) }
	}
	sqs := guarded(lambdasource.SQS, lambdasource.Options{})
	m := func(id, body string) string {
		return `{"messageId":"` + id + `","body":` + strconv.Quote(body) + `,"eventSource":"aws:sqs","eventSourceARN":"` + standardARN + `"}`
	}
	fifo := func(id, group string) string {
		return `{"messageId":"` + id + `","body":"b","attributes":{"MessageGroupId":"` + group + `"},"eventSource":"aws:sqs","eventSourceARN":"` + fifoARN + `"}`
	}
	object := func(i int) string {
		return `{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k` + strconv.Itoa(i) + `","sequencer":"1"}}}`
	}
	stream := func(i, groups int) inStream { return inStream{strconv.Itoa(i + 1), "k" + strconv.Itoa(i%groups), "x"} }
	return map[string]many{
		"SQS":                  {sqs, repeated(`{"Records":[`, `]}`, func(i int) string { return m("m"+strconv.Itoa(i), "b") }), 1},
		"SQS, one message":     {sqs, repeated(`{"Records":[`, `]}`, func(int) string { return m("m", "b") }), 0},
		"FIFO, one group":      {sqs, repeated(`{"Records":[`, `]}`, func(i int) string { return fifo("m"+strconv.Itoa(i), "g") }), 1},
		"FIFO, a hundred":      {sqs, repeated(`{"Records":[`, `]}`, func(i int) string { return fifo("m"+strconv.Itoa(i), "g"+strconv.Itoa(i%100)) }), 1},
		"Pipes":                {guarded(lambdasource.Pipes, lambdasource.Options{}), repeated(`[`, `]`, func(i int) string { return m("m"+strconv.Itoa(i), "b") }), 1},
		"Kinesis, one key":     {guarded(lambdasource.Kinesis, lambdasource.Options{}), repeated(`{"Records":[`, `]}`, func(i int) string { return kinesisRecord(stream(i, 1)) }), 1},
		"Kinesis, many keys":   {guarded(lambdasource.Kinesis, lambdasource.Options{}), repeated(`{"Records":[`, `]}`, func(i int) string { return kinesisRecord(stream(i, 1_000_000)) }), 1},
		"DynamoDB, some items": {guarded(lambdasource.DynamoDBStream, lambdasource.Options{}), repeated(`{"Records":[`, `]}`, func(i int) string { return dynamoDBRecord(stream(i, 50)) }), 1},
		"S3 in one message": {guarded(lambdasource.SQS, lambdasource.Options{Split: sources.S3Event}), func(n int) []byte {
			body := repeated(`{"Records":[`, `]}`, object)(n)
			return payloadOf(t, message(standardARN, "m", "", string(body)))
		}, 1},
		"SNS": {func(h consumer.Handler) lambda.Handler { return lambdasource.SNS(newGuard(dedupe.Options{}), h) }, repeated(`{"Records":[`, `]}`, func(i int) string {
			return `{"EventSource":"aws:sns","Sns":{"Type":"Notification","MessageId":"m` + strconv.Itoa(i) + `","TopicArn":"arn:t","Message":"x"}}`
		}), 1},
		"bus": {func(h consumer.Handler) lambda.Handler { return lambdasource.EventBus(newGuard(dedupe.Options{}), h) }, repeated(`[`, `]`, func(i int) string {
			return `{"SystemMetadata":{"aws:EventId":"m` + strconv.Itoa(i) + `"},"Data":1}`
		}), 1},
	}
}

// Of every source that delivers many records, 10,000 run, each once, and are
// done; they take about ten times the memory and the time of 1,000, where
// something that looks at all for each would take a hundred times as much.
func TestTenThousand(t *testing.T) {
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			measure := func(n int) (bytes uint64, took time.Duration) {
				j, payload := new(journal), k.payload(n)
				h := k.make(j)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				response, err := h.Invoke(t.Context(), payload)
				took = time.Since(began)
				runtime.ReadMemStats(&after)
				if runs := max(1, k.runs*n); err != nil || string(response) != `{"batchItemFailures":[]}` && string(response) != "null" || len(j.ran()) != runs {
					t.Errorf("%d records: %.100s, %v, %d runs, want all done with %d", n, response, err, len(j.ran()), runs)
				}
				return after.TotalAlloc - before.TotalAlloc, took
			}
			fewBytes, few := measure(1_000)
			manyBytes, most := measure(10_000)
			t.Logf("1,000: %v, %d KiB; 10,000: %v, %d KiB", few, fewBytes>>10, most, manyBytes>>10)
			if manyBytes > 20*fewBytes {
				t.Errorf("10,000 records allocate %d bytes, 1,000 %d: want at most 20 times as much", manyBytes, fewBytes)
			}
			if most > 50*few+2*time.Second { // wide: a busy machine must not fail it, and what grows with the square still does
				t.Errorf("10,000 records take %v, 1,000 %v: want at most some 50 times as long", most, few)
			}
		})
	}
}
