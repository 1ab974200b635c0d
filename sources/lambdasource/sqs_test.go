package lambdasource_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// Only what failed is reported, and the answer is a list even when nothing did.
func TestSQSPartial(t *testing.T) {
	j := new(journal)
	h := lambdasource.SQS(newGuard(dedupe.Options{}), j)
	want(t, "failed", failed(t, h, batchOf(t, "a", "bad", "c")), "bad")
	want(t, "again", failed(t, h, batchOf(t, "a", "c")))
	if got := len(j.ran()); got != 3 {
		t.Errorf("handler ran %d times (%q), want 3: a and c were done", got, j.ran())
	}
	response, err := h.Invoke(t.Context(), []byte(`{"Records":[]}`))
	if err != nil || string(response) != `{"batchItemFailures":[]}` {
		t.Errorf("empty batch: %s, %v, want an empty list", response, err)
	}
}

// A record of which nothing was heard has failed.
func TestSQSNoOutcome(t *testing.T) {
	const want = `{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"c"}]}`
	if got := lambdasource.Response(batchOf(t, "a", "b", "c"), 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// When every record failed the invocation fails, with an error through which
// the causes can be found; asked to report instead, it lists them.
func TestSQSAllFailed(t *testing.T) {
	bodies := []string{"bad1", "bad2", "bad3", "bad4", "bad5"}
	payload := batchOf(t, bodies...)
	response, err := lambdasource.SQS(nil, new(journal)).Invoke(t.Context(), payload)
	all, ok := errors.AsType[*lambdasource.FailedError](err)
	if response != nil || !ok || all.Records != 5 || len(all.First) == 0 || !errors.Is(err, errRefused) {
		t.Fatalf("got %s, %v; want nothing and an FailedError of 5 with the cause in it", response, err)
	}
	if one, ok := errors.AsType[*lambdasource.RecordError](err); !ok || one.ID != "bad1" {
		t.Errorf("first failure = %+v, want that of bad1", one)
	}
	if name := reflect.TypeOf(err).Elem().Name(); name != "FailedError" { // Lambda's errorType
		t.Errorf("error type %s", name)
	}
	const text = "lambdasource: all 5 records failed: record bad1: card refused; record bad2: card refused; record bad3: card refused; and 2 more"
	if err.Error() != text {
		t.Errorf("got  %s\nwant %s", err, text)
	}
	h := lambdasource.SQS(nil, new(journal), lambdasource.Options{ReportAllFailed: true})
	want(t, "reported", failed(t, h, payload), bodies...)
}

// The text of a single failure does not speak of many.
func TestAllFailedErrorOfOne(t *testing.T) {
	_, err := lambdasource.SQS(nil, new(journal)).Invoke(t.Context(), batchOf(t, "bad"))
	const text = "lambdasource: the only record failed: record bad: card refused"
	if err == nil || err.Error() != text {
		t.Errorf("got  %v\nwant %s", err, text)
	}
}

// One message that came twice, with two receipt handles, is done once and
// acknowledged; when its copies end differently it is reported, once.
func TestSQSCopies(t *testing.T) {
	first, second := message(standardARN, "a", "", "a"), message(standardARN, "a", "", "a")
	second.ReceiptHandle = "another"
	other := message(standardARN, "b", "", "b")

	j := new(journal)
	want(t, "copies", failed(t, lambdasource.SQS(newGuard(dedupe.Options{}), j), payloadOf(t, first, second, other)))
	if n := len(j.ran()); n != 2 {
		t.Errorf("handler ran %d times, want once for a and once for b", n)
	}

	second.Body = "bad"
	for name, ms := range map[string][]events.SQSMessage{"second fails": {first, second, other}, "first fails": {second, first, other}} {
		want(t, name, failed(t, lambdasource.SQS(nil, new(journal)), payloadOf(t, ms...)), "a")
	}
	first.Body = "bad"
	want(t, "both fail", failed(t, lambdasource.SQS(nil, new(journal)), payloadOf(t, first, second, other)), "a")
}

// A batch of the largest size is run whole, and exactly what failed of it is
// reported.
func TestSQSLargestBatch(t *testing.T) {
	const n = 10_000
	bodies := numbered(n)
	var bad []string
	for i := 0; i < n; i += 100 {
		bodies[i] = fmt.Sprint("bad", i)
		bad = append(bad, bodies[i])
	}
	j := new(journal)
	want(t, "failed", failed(t, lambdasource.SQS(newGuard(dedupe.Options{}), j), batchOf(t, bodies...)), bad...)
	if got := len(j.ran()); got != n {
		t.Errorf("handler ran %d times, want %d", got, n)
	}
}

// A body of the largest size arrives as it was sent.
func TestSQSLargestBody(t *testing.T) {
	body := strings.Repeat("ä\"\\\n\u2028x", 1<<20/9)
	h := lambdasource.SQS(nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		if string(rec.Body) != body || rec.Raw.(events.SQSMessage).Body != body {
			return errors.New("another body")
		}
		return nil
	}))
	want(t, "failed", failed(t, h, payloadOf(t, message(standardARN, "a", "", body))))
}

// A handler that panics fails its own record.
func TestSQSPanic(t *testing.T) {
	h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		if string(rec.Body) == "b" {
			panic("b")
		}
		return nil
	}))
	want(t, "failed", failed(t, h, batchOf(t, "a", "b", "c")), "b")
	_, err := h.Invoke(t.Context(), batchOf(t, "b"))
	if _, ok := errors.AsType[*consumer.PanicError](err); !ok {
		t.Errorf("got %v, want a PanicError in it", err)
	}
}

// What a handler does to its record does not change which message is reported.
func TestSQSHandlerChangesRecord(t *testing.T) {
	h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		bad := string(rec.Body) == "bad"
		*rec = consumer.Record{ID: "x", MessageID: "x"}
		if bad {
			return errRefused
		}
		return nil
	}))
	want(t, "failed", failed(t, h, batchOf(t, "a", "bad")), "bad")
}

// Behind a rule that sends to a queue the event is what is handled, by its own
// id, and the message is what is acknowledged; a message without an event
// fails alone.
func TestSQSDecode(t *testing.T) {
	var ids []string
	guard := newGuard(dedupe.Options{})
	h := lambdasource.SQS(guard, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		ids = append(ids, rec.ID, rec.MessageID, rec.Type, string(rec.Body))
		return nil
	}), lambdasource.Options{Decode: sources.EventBridge})
	body := `{"id":"event-1","source":"s","detail-type":"OrderPlaced","detail":{"a":1}}`
	want(t, "failed", failed(t, h, payloadOf(t,
		message(standardARN, "m1", "", body), message(standardARN, "m2", "", `{"order_id":1}`), message(standardARN, "m3", "", body))), "m2")
	if len(ids) != 4 || ids[0] != "event-1" || ids[1] == "event-1" || ids[2] != "OrderPlaced" || ids[3] != `{"a":1}` {
		t.Errorf("handled %q, want event-1 once", ids)
	}
	_, err := h.Invoke(t.Context(), payloadOf(t, message(standardARN, "m2", "", `{"order_id":1}`)))
	if !errors.Is(err, sources.ErrNoMember) {
		t.Errorf("got %v, want what the decoder said", err)
	}
}

// A wiring mistake panics at construction and says what to do.
func TestConstructors(t *testing.T) {
	j := new(journal)
	for text, make := range map[string]func(){
		"lambdasource: SQS needs a handler":                                                 func() { lambdasource.SQS(nil, nil) },
		"lambdasource: SQS takes one Options":                                               func() { lambdasource.SQS(nil, j, lambdasource.Options{}, lambdasource.Options{}) },
		"lambdasource: SQS: negative Options.Concurrency":                                   func() { lambdasource.SQS(nil, j, lambdasource.Options{Concurrency: -1}) },
		"lambdasource: SQS: negative Options.Reserve":                                       func() { lambdasource.SQS(nil, j, lambdasource.Options{Reserve: -1}) },
		"lambdasource: EventBridge needs a handler":                                         func() { lambdasource.EventBridge(nil, nil) },
		"lambdasource: EventBridge: Options.Decode is for SQS, Pipes, SNS and Kinesis only": func() { lambdasource.EventBridge(nil, j, lambdasource.Options{Decode: sources.EventBridge}) },
		"lambdasource: EventBridge: Options.StopOnFailure is for queues and streams only":   func() { lambdasource.EventBridge(nil, j, lambdasource.Options{StopOnFailure: true}) },
		"lambdasource: EventBridge: Options.ReportAllFailed is for queues and streams only": func() { lambdasource.EventBridge(nil, j, lambdasource.Options{ReportAllFailed: true}) },
	} {
		func() {
			defer func() {
				if v := recover(); v != text {
					t.Errorf("panic %v, want %q", v, text)
				}
			}()
			make()
		}()
	}
}

// lambda.Start takes the handlers as they are: payload and response pass
// through untouched.
func TestLambdaStart(t *testing.T) {
	for name, h := range map[string]lambda.Handler{
		string(batchOf(t, "a")): lambdasource.SQS(nil, new(journal)),
		event:                   lambdasource.EventBridge(nil, new(journal)),
	} {
		direct, err := h.Invoke(t.Context(), []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		through, err := lambda.NewHandler(h).Invoke(t.Context(), []byte(name))
		if err != nil || string(through) != string(direct) {
			t.Errorf("%s: through the runtime %s, %v, want %s", name, through, err, direct)
		}
	}
}

// Copies of a dead letter that a poller sent are the message that it was: one
// run, under the key that it had, and each is reported by its own messageId.
func TestDeadLetterIsTheMessageItWas(t *testing.T) {
	letter := func(id string) events.SQSMessage {
		m, was := message(standardARN, id, "", "order 1"), "msg-1"
		m.MessageAttributes = map[string]events.SQSMessageAttribute{"onlyonce.message-id": {DataType: "String", StringValue: &was}}
		return m
	}
	refuse, keys := true, []string(nil)
	h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		claim, _ := dedupe.FromContext(ctx)
		keys = append(keys, claim.Key)
		if rec.ID != "msg-1" {
			t.Errorf("ID %q of message %q, want msg-1", rec.ID, rec.MessageID)
		}
		if refuse {
			return errRefused
		}
		return nil
	}), lambdasource.Options{ReportAllFailed: true})
	want(t, "the message", failed(t, h, payloadOf(t, message(standardARN, "msg-1", "", "order 1"))), "msg-1")
	want(t, "its letter", failed(t, h, payloadOf(t, letter("msg-2"))), "msg-2")
	refuse = false
	want(t, "copies", failed(t, h, payloadOf(t, letter("msg-2"), letter("msg-3"))))
	if len(keys) != 3 || keys[1] != keys[0] || keys[2] != keys[0] {
		t.Errorf("ran under keys %q, want three times the same", keys)
	}
}
