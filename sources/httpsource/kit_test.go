package httpsource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// orders is a handler that counts its runs and answers with their number.
type orders struct {
	runs atomic.Int32
	do   func(w http.ResponseWriter, r *http.Request, run int) // instead, if set
}

func (h *orders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	run := int(h.runs.Add(1))
	if h.do != nil {
		h.do(w, r, run)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"run":%d}`, run)
}

func (h *orders) wantRuns(t *testing.T, want int) {
	t.Helper()
	if got := int(h.runs.Load()); got != want {
		t.Errorf("got %d runs, want %d", got, want)
	}
}

// told remembers the events of a guard.
type told struct {
	mu     sync.Mutex
	events []consumer.Event
}

func (o *told) Observe(_ context.Context, e consumer.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// failure returns the error of the last request that failed.
func (o *told) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.events) - 1; i >= 0; i-- {
		if f, ok := o.events[i].(consumer.Failed); ok {
			return f.Err
		}
	}
	return nil
}

func newGuard(store dedupe.Store, change ...func(*dedupe.Options)) *dedupe.Guard {
	o := dedupe.Options{Consumer: "test"}
	for _, f := range change {
		f(&o)
	}
	return dedupe.New(store, o)
}

// site returns h behind Once, on a store of its own.
func site(h http.Handler, opts ...httpsource.Options) http.Handler {
	return httpsource.Once(newGuard(memdedupe.New()), h, opts...)
}

// request returns a POST of body to /orders under key, which is not sent when
// it is empty.
func request(t *testing.T, key, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", strings.NewReader(body))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(t *testing.T, h http.Handler, key, body string) *httptest.ResponseRecorder {
	t.Helper()
	return do(h, request(t, key, body))
}

// want checks status, body and whether it is a replay.
func want(t *testing.T, w *httptest.ResponseRecorder, status int, body string, replayed bool) {
	t.Helper()
	header := map[bool]string{true: "true"}[replayed]
	if w.Code != status || w.Body.String() != body || w.Header().Get("Idempotency-Replayed") != header {
		t.Errorf("got %d %q, replayed %q, want %d %q, replayed %q",
			w.Code, w.Body, w.Header().Get("Idempotency-Replayed"), status, body, header)
	}
}

// wantProblem checks an answer that is not the handler's.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, kind string) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Errorf("got %d %q, want a problem: %v", w.Code, w.Body, err)
		return
	}
	if w.Code != status || p.Status != status || p.Type != kind || p.Title == "" || p.Detail == "" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d, %s, %+v, want %d, %s", w.Code, w.Header().Get("Content-Type"), p, status, kind)
	}
}

// faulty is a store that fails the operations that f says.
type faulty struct {
	dedupe.Store
	f func(kind dedupe.OpKind) bool
}

var errDown = errors.New("no answer from db-7.internal")

func (s faulty) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	if s.f(ops[0].Kind) {
		return nil, errDown
	}
	return s.Store.Apply(ctx, ops)
}
