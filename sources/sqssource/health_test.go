package sqssource_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// probe asks a poller for one page of its health.
func (b *bed) probe(h http.Handler, method, path string) (int, map[string]any) {
	b.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), method, path, nil))
	var body map[string]any
	if w.Code == http.StatusOK || w.Code == http.StatusServiceUnavailable {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			b.Fatalf("%s: %v in %q", path, err, w.Body)
		}
		if ct, cc := w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"); ct != "application/json" || cc != "no-store" {
			b.Errorf("%s: got Content-Type %q, Cache-Control %q", path, ct, cc)
		}
	}
	return w.Code, body
}

// wantHealth fails unless a poller is as live and ready as told and says why
// not, and returns its status.
func (b *bed) wantHealth(when string, h http.Handler, live, ready bool, why string) map[string]any {
	b.Helper()
	synctest.Wait()
	status := func(ok bool) int {
		if ok {
			return http.StatusOK
		}
		return http.StatusServiceUnavailable
	}
	l, _ := b.probe(h, "GET", "/live")
	r, _ := b.probe(h, "GET", "/ready")
	s, body := b.probe(h, "GET", "/status")
	said, _ := body["why"].(string)
	if l != status(live) || r != status(ready) || s != http.StatusOK || body["live"] != live || body["ready"] != ready ||
		!strings.Contains(said, why) || (why == "") != (said == "") {
		b.Errorf("%s: got live %d, ready %d, status %d %v; want live %v, ready %v, why %q", when, l, r, s, body, live, ready, why)
	}
	return body
}

// A poller is live and ready while it is idle or busy, live while it stops or
// does not run.
func TestHealth(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		p := sqssource.New(b.client, b.url, b.guard, b.ledger.handler(takes(10*time.Minute)), sqssource.Options{
			Concurrency: 20, DrainTimeout: time.Hour,
		})
		h := p.Health()
		b.wantHealth("before Run", h, true, false, "not running")
		r := b.run(p)
		b.wantHealth("just started", h, true, true, "")
		time.Sleep(time.Hour + time.Second)
		s := b.wantHealth("idle for an hour", h, true, true, "")
		last, err := time.Parse(time.RFC3339Nano, s["last_receive"].(string))
		if err != nil || time.Since(last) > 20*time.Second || s["in_process"] != 0.0 {
			b.Errorf("idle: got %v, %v; want a last receive 20s ago at most and nothing in process", s, err)
		}
		b.send("big " + strings.Repeat("x", 1000))
		b.sendMany(49)
		time.Sleep(9 * time.Minute)
		s = b.wantHealth("busy, all slots taken", h, true, true, "")
		if s["in_process"] != 20.0 || s["handling"] != 20.0 || s["received"] != 20.0 || s["bytes"].(float64) < 1000 || s["oldest_seconds"].(float64) < 500 {
			b.Errorf("busy: got %v, want 20 in process, handled and received, 1000 bytes, 9 minutes", s)
		}
		r.cancel()
		b.wantHealth("stopping", h, true, false, "stopping")
		b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		b.wantHealth("stopped", h, true, false, "not running")
		b.left[b.queue] = 30
	})
}

// A poller whose receives fail is not ready at once, and not live after two
// minutes, until one succeeds; so it is while it asks what its queue is like.
func TestHealthFailingReceives(t *testing.T) {
	for _, set := range []string{"", "setup"} {
		bubble(t, setting{}, func(b *bed) {
			failing := func(op string, _ sqstest.Request) (a sqstest.Action) {
				if op == "ReceiveMessage" || set == "setup" {
					a.Err = &sqstest.Error{Code: "ServiceUnavailable"}
				}
				return a
			}
			b.server.Fault(failing)
			r := b.start(takes(0), sqssource.Options{})
			h, slow := r.poller.Health(), r.poller.Health(sqssource.HealthOptions{StuckAfter: time.Hour})
			why := "receives fail"
			if set == "setup" {
				why = "not running"
			}
			time.Sleep(110 * time.Second)
			b.wantHealth("after 110s", h, true, false, why)
			time.Sleep(40 * time.Second)
			b.wantHealth("after 150s", h, false, false, "no receive has succeeded since")
			b.wantHealth("after 150s of an hour", slow, true, false, why)
			b.server.Fault(nil)
			time.Sleep(time.Minute)
			b.wantHealth("healed", h, true, true, "")
		})
	}
}

// A receive that hangs is as bad as one that fails.
func TestHealthHungReceives(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		r := b.start(takes(0), sqssource.Options{AbandonPolls: true})
		h := r.poller.Health()
		time.Sleep(time.Minute)
		b.server.Fault(hung)
		time.Sleep(5 * time.Minute)
		b.wantHealth("hung for 5m", h, false, false, "no receive has succeeded since")
		b.server.Fault(nil)
		time.Sleep(2 * time.Minute)
		b.wantHealth("healed", h, true, true, "")
	})
}

// A poller that cannot receive since others have its slots is not stuck, even
// if its latest receive failed.
func TestHealthWithoutSlots(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		slots := sqssource.NewSlots(1)
		b.sendTo(other, "long")
		b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
			if req.Queue == b.queue && op == "ReceiveMessage" {
				a.Err = &sqstest.Error{Code: "InternalFailure"}
			}
			return a
		})
		h := b.start(takes(0), sqssource.Options{Slots: slots}).poller.Health()
		b.until("a receive has failed", func() bool { return len(seen[consumer.QueueFailed](b)) > 0 })
		b.startOn(other, takes(time.Hour), sqssource.Options{Slots: slots})
		b.until("the other has the slot", func() bool { return b.ledger.ran("long") == 1 })
		time.Sleep(10 * time.Minute)
		b.wantHealth("without slots for 10m", h, true, true, "")
		b.until("the slot is free", func() bool { return b.ledger.finished("long") == 1 })
		time.Sleep(time.Minute)
		b.wantHealth("failing for a minute", h, true, false, "receives fail")
		b.server.Fault(nil)
	})
}

// While the store is down the poller is live, but not ready.
func TestHealthStoreDown(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.store.fail(func([]dedupe.Op) error { return errNo })
		b.sendMany(5)
		r := b.start(takes(0), sqssource.Options{})
		h := r.poller.Health()
		time.Sleep(10 * time.Minute)
		b.until("it pauses", func() bool { return !r.poller.Status().PausedUntil.IsZero() })
		b.wantHealth("store down", h, true, false, "store cannot be reached")
		b.store.fail(nil)
		time.Sleep(2 * time.Minute)
		b.wantHealth("store up", h, true, true, "")
	})
}

// A message that is never settled makes the poller stuck, by default after
// more than the 12 hours that it can be kept invisible.
func TestHealthOldMessage(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.repeats = true // it outlives its 12 hours
		b.sendMany(1)
		r := b.start(takes(20*time.Hour), sqssource.Options{})
		h, strict := r.poller.Health(), r.poller.Health(sqssource.HealthOptions{OldestAfter: time.Hour})
		time.Sleep(59 * time.Minute)
		b.wantHealth("59m of an hour", strict, true, true, "")
		time.Sleep(2 * time.Minute)
		b.wantHealth("61m of an hour", strict, false, false, "has not been settled since")
		b.wantHealth("61m", h, true, true, "")
		time.Sleep(11*time.Hour + 15*time.Minute)
		b.wantHealth("12h 16m", h, false, false, "has not been settled since")
		time.Sleep(8 * time.Hour)
		b.drain()
		b.wantHealth("done", h, true, true, "")
	})
}

// Only GET is answered, and only on its three paths.
func TestHealthOtherRequests(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		h := sqssource.New(b.client, b.url, b.guard, takes(0)).Health()
		for _, c := range []struct {
			method, path string
			want         int
		}{{"POST", "/live", 405}, {"GET", "/", 404}, {"GET", "/live/x", 404}, {"HEAD", "/live", 200}} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), c.method, c.path, nil))
			if w.Code != c.want {
				b.Errorf("%s %s: got %d, want %d", c.method, c.path, w.Code, c.want)
			}
		}
	})
}
