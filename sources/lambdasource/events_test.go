package lambdasource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// envelope returns a sample of package sources.
func envelope(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile("../testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// kept is a handler that keeps its records, and fails those whose ID it was
// told.
type kept struct {
	mu   sync.Mutex
	recs []consumer.Record
	bad  string
}

func (k *kept) HandleRecord(_ context.Context, rec *consumer.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recs = append(k.recs, *rec)
	if rec.ID == k.bad {
		return errRefused
	}
	return nil
}

func (k *kept) ids() (ids []string) {
	for _, rec := range k.recs {
		ids = append(ids, rec.ID)
	}
	return ids
}

// A schedule's input and a topic's notification are handled once, and the
// whole element is within reach.
func TestEventsOnce(t *testing.T) {
	for _, row := range []struct {
		name, id, body string
		make           func(*dedupe.Guard, consumer.Handler, ...lambdasource.Options) *lambdasource.EventHandler
	}{
		{"scheduler_nightly", "arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly|2026-11-21T02:00:00Z", `{"job":"close-books","day":"2026-11-20"}`, lambdasource.Scheduler},
		{"snsevent_order", "95df01b4-ee98-5cb9-9903-4c221d41eb5e", `{"order_id":"A-17"}`, lambdasource.SNS},
		{"eventbus_metadata", "0f6a9a4c-7d0b-4b6a-9d35-0d6cf5a0b111", `{"order_id":"A-17","total":12.50}`, lambdasource.EventBus},
		{"eventbus_raw", "17793124-05d4-b198-2fde-7ededc63b103", "", lambdasource.EventBus},
	} {
		k := &kept{bad: row.id}
		h := row.make(newGuard(dedupe.Options{}), k)
		_, err := h.Invoke(t.Context(), []byte(envelope(t, row.name)))
		if re, ok := errors.AsType[*lambdasource.RecordError](err); !ok || re.ID != row.id || !errors.Is(err, errRefused) {
			t.Errorf("%s: got %v, want a RecordError of %s", row.name, err, row.id)
		}
		k.bad = ""
		for range 2 {
			if response, err := h.Invoke(t.Context(), []byte(envelope(t, row.name))); err != nil || string(response) != "null" {
				t.Errorf("%s: got %s, %v", row.name, response, err)
			}
		}
		if len(k.recs) != 2 || k.recs[1].ID != row.id || row.body != "" && string(k.recs[1].Body) != row.body {
			t.Errorf("%s: got %+v, want two runs", row.name, k.recs)
			continue
		}
		raw, ok := k.recs[1].Raw.(json.RawMessage)
		if !ok || !strings.Contains(envelope(t, row.name), strings.TrimSpace(string(raw))) || len(raw) < len(row.body) {
			t.Errorf("%s: got Raw %T %s, want the element", row.name, k.recs[1].Raw, raw)
		}
	}
}

// Of an array of events each is handled once; when one fails, or cannot be
// read, the invocation does, and what was done is skipped when all come again.
func TestEventBusArray(t *testing.T) {
	event := func(id string) string {
		return strings.Replace(envelope(t, "eventbus_metadata"), "0f6a9a4c-7d0b-4b6a-9d35-0d6cf5a0b111", id, 1)
	}
	k := &kept{bad: "e2"}
	h := lambdasource.EventBus(newGuard(dedupe.Options{}), k, lambdasource.Options{Concurrency: 1})
	payload := `[` + event("e1") + `,` + event("e2") + `,` + event("e1") + `,` + envelope(t, "busdlq_record") + `]`
	_, err := h.Invoke(t.Context(), []byte(payload))
	fe, ok := errors.AsType[*lambdasource.FailedError](err)
	if !ok || fe.Records != 4 || fe.Failed != 2 || !errors.Is(err, errRefused) || !errors.Is(err, sources.ErrDeadLetter) {
		t.Errorf("got %v, want that two of four failed, and why", err)
	}
	if !strings.Contains(err.Error(), "2 of 4 records failed: record e2: card refused; record number 4: ") {
		t.Errorf("got %q", err)
	}
	_, err = h.Invoke(t.Context(), []byte(`[`+envelope(t, "busdlq_record")+`]`))
	if pe, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || !errors.Is(err, sources.ErrDeadLetter) || strings.Contains(pe.Got, "Pipes") {
		t.Errorf("got %v, want what is wrong inside of the array", err)
	}
	k.bad = ""
	payload = `[` + event("e1") + `,` + event("e2") + `]`
	for range 2 {
		if response, err := h.Invoke(t.Context(), []byte(payload)); err != nil || string(response) != "null" {
			t.Errorf("got %s, %v", response, err)
		}
	}
	want(t, "ran", k.ids(), "e1", "e2", "e2")
}

// pipe returns an SQS payload as a pipe sends it.
func pipe(t testing.TB, ms ...events.SQSMessage) []byte {
	payload, err := json.Marshal(ms)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// A pipe's array is an SQS batch without the object around it, FIFO order and
// partial response included.
func TestPipes(t *testing.T) {
	j := new(journal)
	h := lambdasource.Pipes(newGuard(dedupe.Options{}), j)
	payload := pipe(t, lanes(fifoARN, "a1", "a1", "b1", "a2", "b2")...)
	response, err := h.Invoke(t.Context(), payload)
	if got := string(response); err != nil || got != `{"batchItemFailures":[{"itemIdentifier":"a1"},{"itemIdentifier":"a2"}]}` {
		t.Errorf("got %s, %v, want a1 and a2 reported", got, err)
	}
	response, err = h.Invoke(t.Context(), pipe(t, lanes(fifoARN, "", "b1", "b2")...))
	if err != nil || string(response) != `{"batchItemFailures":[]}` || len(j.ran()) != 3 {
		t.Errorf("got %s, %v and ran %q", response, err, j.ran())
	}
	for name, payload := range map[string]string{
		"object": string(payloadOf(t, message(standardARN, "m", "", "b"))), "bare": `[` + event + `]`, "number": `[7]`, "null": `null`,
		"no id": `[` + replaced(t, `"messageId":"m1",`, ``) + `]`, "two": `[][]`, "cut": `[` + good,
	} {
		j := new(journal)
		_, err := lambdasource.Pipes(nil, j).Invoke(t.Context(), []byte(payload))
		if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || len(j.ran()) > 0 {
			t.Errorf("%s: got %v, want a PayloadError", name, err)
		}
	}
}

// With a decoder the messages of a pipe hold events, or a transformer left
// nothing but the events: then a failure is one of the whole invocation.
func TestPipesEventBridge(t *testing.T) {
	o := lambdasource.Options{Decode: sources.EventBridge, Concurrency: 1}
	second := strings.Replace(event, "event-1", "event-2", 1)
	k := &kept{bad: "event-2"}
	guard := newGuard(dedupe.Options{})
	h := lambdasource.Pipes(guard, k, o)
	response, err := h.Invoke(t.Context(), pipe(t, message(standardARN, "m1", "", event), message(standardARN, "m2", "", second)))
	if err != nil || string(response) != `{"batchItemFailures":[{"itemIdentifier":"m2"}]}` {
		t.Errorf("got %s, %v, want m2 reported", response, err)
	}
	_, err = h.Invoke(t.Context(), []byte(`[`+event+`,`+second+`]`))
	if fe, ok := errors.AsType[*lambdasource.FailedError](err); !ok || fe.Failed != 1 || fe.Records != 2 {
		t.Errorf("got %v, want that one of two failed", err)
	}
	k.bad = ""
	if response, err := h.Invoke(t.Context(), []byte(`[`+event+`,`+second+`]`)); err != nil || string(response) != `{"batchItemFailures":[]}` {
		t.Errorf("got %s, %v", response, err)
	}
	want(t, "ran", k.ids(), "event-1", "event-2", "event-2", "event-2")
	for _, payload := range []string{`[` + event + `,` + good + `]`, `[` + good + `,` + event + `]`} {
		_, err := h.Invoke(t.Context(), []byte(payload))
		if pe, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || !strings.Contains(pe.Got, "number 2") {
			t.Errorf("got %v, want that number 2 is unlike number 1", err)
		}
	}
	if _, err := h.Invoke(t.Context(), []byte(`[{"order_id":1},`+event+`]`)); !errors.Is(err, sources.ErrNoMember) {
		t.Errorf("got %v, want that the first is no event", err)
	}
}

// A message with several records of S3 is done when all of them are, and each
// of them once; the test event is acknowledged without a run.
func TestSQSS3(t *testing.T) {
	k := new(kept)
	h := lambdasource.SQS(newGuard(dedupe.Options{}), k, lambdasource.Options{Split: sources.S3Event, Concurrency: 1})
	two := envelope(t, "s3event_two")
	k.bad = `orders|in/old.csv|v2||ObjectRemoved:DeleteMarkerCreated`
	payload := payloadOf(t, message(standardARN, "m1", "", two), message(standardARN, "m2", "", envelope(t, "s3event_test")),
		message(standardARN, "m3", "", envelope(t, "s3event_put")), message(standardARN, "m4", "", `{"order_id":1}`),
		message(standardARN, "m5", "", strings.NewReplacer(`"sequencer":"0055AED6DCD90281E5"`, `"x":1`, "old.csv", "m5.csv").Replace(two)))
	want(t, "failed", failed(t, h, payload), "m1", "m4", "m5")
	if len(k.recs) != 4 || k.recs[0].MessageID != "m1" || k.recs[0].Type != "ObjectCreated:Put" || !strings.HasPrefix(string(k.recs[0].Body), `{"eventVersion":"2.1"`) {
		t.Errorf("ran %q", k.ids())
	}
	if _, ok := k.recs[0].Raw.(events.SQSMessage); !ok {
		t.Errorf("got Raw %T, want the message", k.recs[0].Raw)
	}
	k.bad = ""
	want(t, "failed", failed(t, h, payload), "m4", "m5")
	if len(k.recs) != 5 {
		t.Errorf("ran %q, want the one that failed once more", k.ids())
	}
}

// A redrive from an on-failure destination or a rule's dead-letter queue does
// only what the function did not finish.
func TestRedriveKeepsIdentity(t *testing.T) {
	guard := newGuard(dedupe.Options{})
	k := new(kept)
	if _, err := lambdasource.EventBridge(guard, k).Invoke(t.Context(), []byte(envelope(t, "eventbridge_order"))); err != nil {
		t.Fatal(err)
	}
	bus := lambdasource.EventBus(guard, k)
	if _, err := bus.Invoke(t.Context(), []byte(`[`+envelope(t, "eventbus_metadata")+`]`)); err != nil {
		t.Fatal(err)
	}
	failure := func(payload string) string {
		return `{"version":"1.0","requestContext":{"condition":"RetriesExhausted"},"requestPayload":` + payload + `,"responsePayload":null}`
	}
	for name, row := range map[string]struct {
		o    lambdasource.Options
		body string
	}{
		"on-failure":       {lambdasource.Options{Decode: sources.Chain(sources.OnFailure, sources.EventBridge)}, envelope(t, "onfailure_eventbridge")},
		"rule's queue":     {lambdasource.Options{Decode: sources.EventBridge}, envelope(t, "eventbridge_order")},
		"on-failure, bus":  {lambdasource.Options{Decode: sources.OnFailure, Split: sources.EventBusBatch}, failure(`[` + envelope(t, "eventbus_metadata") + `]`)},
		"on-failure, rule": {lambdasource.Options{Decode: sources.Chain(sources.EventBridge, sources.Chain(sources.OnFailure, sources.EventBridge))}, `{"id":"9","source":"lambda","detail-type":"Lambda Function Invocation Result - Failure","detail":` + envelope(t, "onfailure_eventbridge") + `}`},
	} {
		got := failed(t, lambdasource.SQS(guard, k, row.o), payloadOf(t, message(standardARN, "m1", "", row.body)))
		want(t, name, got)
	}
	if len(k.recs) != 2 {
		t.Errorf("ran %q, want each event once", k.ids())
	}
	_, err := lambdasource.SQS(guard, k, lambdasource.Options{Split: sources.EventBusBatch}).Invoke(t.Context(), payloadOf(t, message(standardARN, "m1", "", envelope(t, "busdlq_record"))))
	if !errors.Is(err, sources.ErrDeadLetter) {
		t.Errorf("got %v for a dead-letter record of the bus, want ErrDeadLetter", err)
	}
}

// A guard that makes replays run again is refused by every source whose
// records have no replay name.
func TestReprocessRefused(t *testing.T) {
	guard, j := newGuard(dedupe.Options{Reprocess: true}), new(journal)
	event := lambdasource.Options{Decode: sources.EventBridge}
	for name, row := range map[string]struct {
		make    func()
		refused bool
	}{
		"SQS": {func() { lambdasource.SQS(guard, j) }, true}, "Pipes": {func() { lambdasource.Pipes(guard, j) }, true},
		"Kinesis": {func() { lambdasource.Kinesis(guard, j) }, true}, "DynamoDBStream": {func() { lambdasource.DynamoDBStream(guard, j) }, true},
		"Scheduler": {func() { lambdasource.Scheduler(guard, j) }, true}, "SNS": {func() { lambdasource.SNS(guard, j) }, true},
		"EventBus": {func() { lambdasource.EventBus(guard, j) }, true}, "EventBridge": {func() { lambdasource.EventBridge(guard, j) }, false},
		"SQS with events": {func() { lambdasource.SQS(guard, j, event) }, false}, "Pipes with events": {func() { lambdasource.Pipes(guard, j, event) }, false},
	} {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if got := strings.HasPrefix(text, "lambdasource: "+name+": the guard has Options.Reprocess"); got != row.refused {
					t.Errorf("%s: got panic %q, want it refused: %v", name, text, row.refused)
				}
			}()
			row.make()
		}()
	}
}

// Options that a source has no use for are refused at construction.
func TestOptionsRefused(t *testing.T) {
	j := new(journal)
	for text, make := range map[string]func(){
		"EventBridge: Options.Split is for SQS and Pipes only":               func() { lambdasource.EventBridge(nil, j, lambdasource.Options{Split: sources.S3Event}) },
		"Kinesis: Options.Split is for SQS and Pipes only":                   func() { lambdasource.Kinesis(nil, j, lambdasource.Options{Split: sources.S3Event}) },
		"DynamoDBStream: Options.Decode is for SQS, Pipes, SNS and Kinesis ": func() { lambdasource.DynamoDBStream(nil, j, lambdasource.Options{Decode: sources.SNS}) },
		"SNS: Options.ReportAllFailed is for queues and streams only":        func() { lambdasource.SNS(nil, j, lambdasource.Options{ReportAllFailed: true}) },
		"EventBus: Options.StopOnFailure is for queues and streams only":     func() { lambdasource.EventBus(nil, j, lambdasource.Options{StopOnFailure: true}) },
		"Pipes needs a handler":      func() { lambdasource.Pipes(nil, nil) },
		"Scheduler needs a handler":  func() { lambdasource.Scheduler(nil, nil) },
		"EventBus takes one Options": func() { lambdasource.EventBus(nil, j, lambdasource.Options{}, lambdasource.Options{}) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "lambdasource: "+text) {
					t.Errorf("got panic %q, want %q", got, text)
				}
			}()
			make()
		}()
	}
}
