package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

const event = `{"version":"0","id":"event-1","source":"shop","detail-type":"OrderPlaced","time":"2026-11-21T12:22:54Z","detail":{"order_id":"A-17"}}`

// twoWorkers returns the same function in two processes, over one store.
func twoWorkers(h consumer.Handler) (a, b *lambdasource.BatchHandler) {
	store := memdedupe.New()
	return lambdasource.SQS(dedupe.New(store, dedupe.Options{Consumer: "test"}), h),
		lambdasource.SQS(dedupe.New(store, dedupe.Options{Consumer: "test"}), h)
}

// An event is handled once, with its envelope off, and the whole event within
// reach.
func TestEventBridge(t *testing.T) {
	var got []consumer.Record
	h := lambdasource.EventBridge(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		got = append(got, *rec)
		return nil
	}))
	for range 2 {
		response, err := h.Invoke(t.Context(), []byte(event))
		if err != nil || string(response) != "null" {
			t.Fatalf("got %s, %v, want null", response, err)
		}
	}
	if len(got) != 1 {
		t.Fatalf("handled %d times, want once", len(got))
	}
	rec := got[0]
	raw, ok := rec.Raw.(json.RawMessage)
	if rec.ID != "event-1" || rec.MessageID != "" || rec.Type != "OrderPlaced" || string(rec.Body) != `{"order_id":"A-17"}` || !ok || string(raw) != event {
		t.Errorf("record %+v", rec)
	}
}

// A failure is an error that names the event and leads to the cause; one that
// no retry can mend is an error like any other.
func TestEventBridgeFailure(t *testing.T) {
	for _, cause := range []error{errRefused, consumer.Permanent(errRefused), consumer.RetryAfter(time.Hour, errRefused)} {
		h := lambdasource.EventBridge(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return cause }))
		response, err := h.Invoke(t.Context(), []byte(event))
		re, ok := errors.AsType[*lambdasource.RecordError](err)
		if response != nil || !ok || re.ID != "event-1" || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "event-1") {
			t.Errorf("%v: got %s, %v", cause, response, err)
		}
	}
	h := lambdasource.EventBridge(nil, consumer.HandlerFunc(func(context.Context, *consumer.Record) error { panic("at the disco") }))
	if _, err := h.Invoke(t.Context(), []byte(event)); !strings.Contains(err.Error(), "at the disco") {
		t.Errorf("got %v, want the panic", err)
	}
}

// What is not one event fails the invocation, says what it was, and runs
// nothing.
func TestEventBridgePayloadError(t *testing.T) {
	for _, row := range []struct{ name, payload, got string }{
		{"nothing", ``, "an empty payload"},
		{"not JSON", `order`, "no JSON"},
		{"cut off", event[:40], "no JSON"},
		{"two events", event + event, "no JSON"},
		{"null", `null`, "the JSON value null"},
		{"text", `"event"`, "a JSON string"},
		{"array", `[` + event + `]`, "a JSON array, as EventBridge Pipes sends it"},
		{"SQS", string(batchOf(t, "a")), "an object with Records"},
		{"input of a target", `{"order_id":"A-17"}`, "some other object"},
		{"empty object", `{}`, "some other object"},
		{"no id", strings.Replace(event, `"id":"event-1",`, ``, 1), "a broken one"},
		{"null id", strings.Replace(event, `"event-1"`, `null`, 1), "a broken one"},
		{"two ids", strings.Replace(event, `"id":"event-1"`, `"id":"event-1","id":"event-2"`, 1), "a broken one"},
		{"invalid UTF-8 in the id", strings.Replace(event, `event-1`, "event-\xff", 1), "a broken one"},
		{"half a pair in the id", strings.Replace(event, `event-1`, `\ud800`, 1), "a broken one"},
		{"text for the detail", strings.Replace(event, `{"order_id":"A-17"}`, `"{}"`, 1), "a broken one"},
	} {
		j := new(journal)
		response, err := lambdasource.EventBridge(nil, j).Invoke(t.Context(), []byte(row.payload))
		pe, ok := errors.AsType[*lambdasource.PayloadError](err)
		_, envelope := errors.AsType[*sources.EnvelopeError](err)
		if response != nil || !ok || !envelope || pe.Got != row.got || len(j.ran()) != 0 {
			t.Errorf("%s: got %s, %v, ran %q; want a PayloadError that says %q", row.name, response, err, j.ran(), row.got)
		}
	}
}

// Only for an object without Records whose envelope is not whole is an
// InputTransformer the likely cause; the rest is told one thing to do.
func TestEventBridgePayloadErrorHint(t *testing.T) {
	for payload, want := range map[string]bool{
		`{"order_id":"A-17"}`: true, `{}`: true, strings.Replace(event, `"id":"event-1",`, ``, 1): true,
		strings.Replace(event, `"event-1"`, `null`, 1): false, ``: false, `null`: false, `[]`: false, `"event"`: false, `17`: false,
		string(batchOf(t, "a")): false, event + event: false,
	} {
		_, err := lambdasource.EventBridge(nil, new(journal)).Invoke(t.Context(), []byte(payload))
		if got := strings.Contains(err.Error(), "InputTransformer"); got != want {
			t.Errorf("%s: got %v, want the hint: %v", payload, err, want)
		}
	}
}

// An event that another worker holds is an error, so that Lambda comes back
// with it: when that worker died, the third attempt does its work.
func TestEventBridgeRetryWhileInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memdedupe.New()
		dead := dedupe.New(store, dedupe.Options{Consumer: "test", Lease: 90 * time.Second})
		ctx, die := context.WithCancel(t.Context())
		defer die()
		rec := &consumer.Record{ID: "event-1"}
		s := dead.Session(ctx, dedupe.SessionOptions{Settled: func(*dedupe.Ticket, error) {}, Again: func(*dedupe.Ticket) {}, Limit: time.Now().Add(90 * time.Second)})
		if ts := s.Admit([]*consumer.Record{rec}, 0); !ts[0].Ready() {
			t.Fatal("the first worker has not got the event")
		}
		s.Close() // it neither finishes nor gives back

		var runs int
		var tries []error
		h := lambdasource.EventBridge(dedupe.New(store, dedupe.Options{Consumer: "test"}), consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			runs++
			return nil
		}))
		a := lambdatest.NewAsync(lambdatest.AsyncOptions{
			Function: lambdatest.HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
				response, err := h.Invoke(ctx, payload)
				tries = append(tries, err)
				return response, err
			}),
			OnFailure: func(f lambdatest.AsyncFailure) { t.Errorf("given up: %v", f.Err) },
		})
		if err := a.Deliver(t.Context(), []byte(event)); err != nil || runs != 1 || len(tries) != 3 {
			t.Fatalf("got %v, %d runs in tries %v; want one run in the third", err, runs, tries)
		}
		if !errors.Is(tries[0], dedupe.ErrInProgress) || !errors.Is(tries[1], dedupe.ErrInProgress) {
			t.Errorf("tries %v, want ErrInProgress twice", tries)
		}
	})
}

// An event that came twice at once in one process is done once, and both
// invocations succeed.
func TestEventBridgeTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs int
		h := lambdasource.EventBridge(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			time.Sleep(time.Second)
			runs++
			return nil
		}))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if _, err := h.Invoke(t.Context(), []byte(event)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
	})
}

// A handler that ignores its context keeps its record's bytes, although the
// runtime uses the payload's memory again, and the error is there in time.
func TestEventBridgeHandlerIgnoresDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body string
		release := make(chan struct{})
		h := lambdasource.EventBridge(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			<-release
			body = string(rec.Body)
			return nil
		}))
		payload := []byte(event)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := h.Invoke(ctx, payload); err == nil || ctx.Err() != nil {
			t.Errorf("got %v (%v), want an error in time", err, ctx.Err())
		}
		copy(payload, bytes.Repeat([]byte("X"), len(payload)))
		close(release)
		synctest.Wait()
		if body != `{"order_id":"A-17"}` {
			t.Errorf("the record changed under its handler: %s", body)
		}
	})
}
