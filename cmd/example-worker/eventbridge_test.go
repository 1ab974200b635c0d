package main

import (
	"net/http"
	"strings"
	"testing"
)

// event is an EventBridge event as it arrives, live or of a replay.
func event(id, replay string) string {
	text := `{"version":"0","id":"` + id + `","detail-type":"order.placed","source":"shop","time":"2026-11-21T10:00:00Z",` +
		`"detail": {"order_id" : "o-` + id + `"} }`
	if replay != "" {
		text = strings.Replace(text, `{"version"`, `{"replay-name":"`+replay+`","version"`, 1)
	}
	return text
}

func detail(id string) string { return `{"order_id" : "o-` + id + `"}` }

// An event of a rule that comes twice, or is replayed, has one effect, whose
// body is its detail; a failed one fails the invocation.
func TestEventBridge(t *testing.T) {
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "bad") {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=eventbridge", "EFFECT_URL="+next.url)
	for _, replay := range []string{"", "", "replay-1"} {
		if got, err := f.Invoke(t.Context(), []byte(event("e1", replay))); err != nil {
			t.Errorf("replay %q: got %s and error %v", replay, got, err)
		}
	}
	if calls := next.all(); len(calls) != 1 || calls[0].body != detail("e1") {
		t.Errorf("got calls %+v, want one with the detail", calls)
	}
	for range 2 {
		if got := f.failed(t, []byte(event("bad", ""))); !strings.Contains(got, "status 500") {
			t.Errorf("got %q for an effect that failed, want an error with its status", got)
		}
	}
	if calls := next.about(detail("bad")); len(calls) != 2 {
		t.Errorf("got %d calls for the event that failed, want two", len(calls))
	} else {
		checkFences(t, calls)
	}
	if got := f.failed(t, batch(t, "m1", "{}")); !strings.Contains(got, "want an EventBridge event") {
		t.Errorf("got %q for an SQS event, want that it is none of EventBridge", got)
	}
}

// Under reprocess each replay runs a finished event once more.
func TestEventBridgeReprocess(t *testing.T) {
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=eventbridge", "REPLAY=reprocess", "EFFECT_URL="+next.url)
	for _, replay := range []string{"", "", "r1", "r1", "r2", ""} {
		if _, err := f.Invoke(t.Context(), []byte(event("e1", replay))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(next.all()); n != 3 {
		t.Errorf("got %d calls, want one live and one for each of two replays", n)
	}
}

// Behind a queue the event's own id counts, not that of the message; a body
// without the envelope fails alone.
func TestSQSEventBridge(t *testing.T) {
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=sqs+eventbridge", "EFFECT_URL="+next.url)
	payload := batch(t, "m1", event("e1", ""), "m2", event("e2", ""), "m3", detail("e3"))
	if got := f.failed(t, payload); got != "m3" {
		t.Errorf("got failures %q, want m3", got)
	}
	if got := f.failed(t, batch(t, "m4", event("e1", ""), "m5", event("e2", "r1"))); got != "" {
		t.Errorf("got failures %q for the events in other messages", got)
	}
	if a, b := next.about(detail("e1")), next.about(detail("e2")); len(next.all()) != 2 || len(a) != 1 || len(b) != 1 {
		t.Errorf("got calls %+v, want one for each event", next.all())
	}
}
