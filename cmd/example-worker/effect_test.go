package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// 2xx is done, 422 is permanent, and anything else, a redirect too, is a
// failure whose text has the status; each is one call.
func TestEffectAnswers(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusOK: "", http.StatusNoContent: "", http.StatusAccepted: "",
		http.StatusUnprocessableEntity: "permanent: effect: status 422", http.StatusInternalServerError: "effect: status 500",
		http.StatusNotFound: "effect: status 404", http.StatusFound: "effect: status 302", http.StatusTemporaryRedirect: "effect: status 307",
		hangUp: "effect: no answer",
	} {
		next := newNextSystem(t, func(call) int { return status })
		err := newEffect(next.url, 1).HandleRecord(t.Context(), &consumer.Record{Body: []byte("{}")})
		if got := errorText(err); !strings.HasPrefix(got, want) || (got == "") != (want == "") || len(got) > 100 {
			t.Errorf("status %d: got %q, want %q", status, got, want)
		}
		if consumer.IsPermanent(err) != (status == http.StatusUnprocessableEntity) {
			t.Errorf("status %d: got permanent %v", status, consumer.IsPermanent(err))
		}
		if n := len(next.all()); n != 1 {
			t.Errorf("status %d: got %d calls, want one", status, n)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// One run of the handler is one call, on a connection that was used before
// too: what net/http would send again by itself is not sent again.
func TestEffectIsOneCall(t *testing.T) {
	next := newNextSystem(t, func(c call) int {
		if c.body == `"second"` {
			return hangUp
		}
		return http.StatusOK
	})
	e := newEffect(next.url, 1)
	h := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"}).Middleware()(e)
	for _, body := range []string{`"first"`, `"second"`, `"third"`} {
		err := h.HandleRecord(t.Context(), &consumer.Record{ID: body, Body: []byte(body)})
		if (err != nil) != (body == `"second"`) {
			t.Errorf("%s: got error %v", body, err)
		}
		if n := len(next.about(body)); n != 1 {
			t.Errorf("%s: got %d calls, want one", body, n)
		}
	}
}

// The body arrives as it is, with the key and the fencing number of its claim.
func TestEffectHeaders(t *testing.T) {
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	h := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"}).Middleware()(newEffect(next.url, 1))
	for _, body := range []string{"{ \"a\" : 1 }\n", "not json", ""} {
		rec := &consumer.Record{ID: "id of " + body, Body: []byte(body)}
		if err := h.HandleRecord(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		want, _ := dedupe.KeyOf("test", dedupe.ID, rec)
		calls := next.about(body)
		if len(calls) != 1 || calls[0].key != string(want) || calls[0].fence <= 0 || calls[0].contentType != "application/json" {
			t.Errorf("%q: got %+v, want one call with key %q", body, calls, want)
		}
	}
}

// The end of the handler's context ends the call.
func TestEffectHonoursContext(t *testing.T) {
	release := make(chan struct{})
	next := newNextSystem(t, func(call) int { <-release; return http.StatusOK })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := newEffect(next.url, 1).HandleRecord(ctx, &consumer.Record{Body: []byte("{}")})
	if got := errorText(err); !strings.HasPrefix(got, "effect: no answer: context deadline exceeded") {
		t.Errorf("got %q, want that the context ended", got)
	}
}
