package lambdasource_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// Whatever arrives, either the invocation fails or every element of Records
// has an outcome: it was handled as a strict decoder reads it, or it is
// reported under its own id.
func FuzzSQS(f *testing.F) {
	for _, name := range []string{"sqs_standard.json", "sqs_fifo.json", "sqs_attributes.json", "sqs_eventbridge.json", "eventbridge_rule.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(`{"Records":[` + good + `]}`))
	f.Add([]byte(`{"Records":[` + replaced(f, `"hello"`, `"h\ud83dllo"`) + `,` + good + `]}`))
	f.Add([]byte(`{"Records":[` + replaced(f, `"S"`, `"S","SenderId":"T"`) + `,{}]}`))
	f.Add([]byte(`{"Records":[],"Records":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var mu sync.Mutex
		var handled []events.SQSMessage
		var told consumer.BatchDone
		h := lambdasource.SQS(nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			m, ok := rec.Raw.(events.SQSMessage)
			if !ok || rec.ID == "" || rec.ID != rec.MessageID || m.MessageId != rec.ID || m.Body != string(rec.Body) {
				t.Errorf("record %+v is not its message", rec)
			}
			mu.Lock()
			defer mu.Unlock()
			handled = append(handled, m)
			return nil
		}), lambdasource.Options{ReportAllFailed: true, Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			if d, ok := e.(consumer.BatchDone); ok {
				told = d
			}
		})})
		intact := bytes.Clone(payload)
		response, err := h.Invoke(t.Context(), payload)
		if !bytes.Equal(payload, intact) {
			t.Fatal("the payload was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || len(handled) > 0 || response != nil {
				t.Fatalf("got %s, %v with %d handled, want a PayloadError alone", response, err, len(handled))
			}
			return
		}
		var in struct{ Records []jsontext.Value }
		if err := json.Unmarshal(payload, &in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			t.Fatalf("accepted, json says %v", err)
		}
		if told.Records != len(in.Records) {
			t.Fatalf("%d outcomes of %d records", told.Records, len(in.Records))
		}
		check(t, in.Records, handled, response)
	})
}

// check compares what was handled and reported with the records.
func check(t *testing.T, records []jsontext.Value, handled []events.SQSMessage, response []byte) {
	var ids []string
	for _, r := range records {
		var m struct {
			ID string `json:"messageId"`
		}
		if err := json.Unmarshal(r, &m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			t.Fatalf("accepted %s, json says %v", r, err)
		}
		ids = append(ids, m.ID)
		at := slices.IndexFunc(handled, func(h events.SQSMessage) bool { return same(h, r) })
		if at >= 0 {
			handled = slices.Delete(handled, at, at+1)
			continue
		}
		reported, err := lambdatest.BatchItemFailures(response, []string{m.ID})
		if err == nil && len(reported) == 0 {
			t.Fatalf("%s was neither handled nor reported in %s", r, response)
		}
	}
	if len(handled) > 0 {
		t.Fatalf("handled what was not in the payload: %+v", handled)
	}
	if _, err := lambdatest.BatchItemFailures(response, ids); err != nil {
		t.Fatalf("AWS refuses %s for %q: %v", response, ids, err)
	}
}

// same reports whether a strict decoder reads the same message.
func same(got events.SQSMessage, raw []byte) bool {
	var want events.SQSMessage
	if err := json.Unmarshal(raw, &want); err != nil {
		return false
	}
	if len(want.Attributes) == 0 {
		want.Attributes = nil
	}
	if len(want.MessageAttributes) == 0 {
		want.MessageAttributes = nil
	}
	return reflect.DeepEqual(got, want)
}

// An event is handled exactly when it is in its envelope, as what its decoder
// makes of it; all else is an error.
func FuzzEventBridge(f *testing.F) {
	f.Add(sample(f, "eventbridge_rule.json"))
	f.Add(sample(f, "sqs_standard.json"))
	f.Add([]byte(event))
	f.Add([]byte(`[` + event + `]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var got *consumer.Record
		h := lambdasource.EventBridge(nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			got = rec
			return nil
		}))
		want := &consumer.Record{Body: bytes.Clone(payload)}
		refused := sources.EventBridge(want)
		response, err := h.Invoke(t.Context(), payload)
		if refused != nil {
			if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || got != nil || response != nil {
				t.Fatalf("got %s, %v, handled %+v; want a PayloadError alone", response, err, got)
			}
			return
		}
		if err != nil || string(response) != "null" || got == nil || got.ID != want.ID || got.Type != want.Type || !bytes.Equal(got.Body, want.Body) {
			t.Fatalf("got %s, %v, handled %+v, want %+v", response, err, got, want)
		}
	})
}
