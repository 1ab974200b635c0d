package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// call is what the next system was asked to do.
type call struct {
	key, body   string
	fence       int64
	contentType string
}

// nextSystem is where effects go in tests.
type nextSystem struct {
	url string

	mu    sync.Mutex
	calls []call
}

// hangUp, as a status, breaks the connection instead of answering.
const hangUp = 0

// newNextSystem starts a next system that answers with the status of answer.
func newNextSystem(t *testing.T, answer func(call) (status int)) *nextSystem {
	t.Helper()
	n := new(nextSystem)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fence, _ := strconv.ParseInt(r.Header.Get("Fencing-Token"), 10, 64)
		c := call{r.Header.Get("Idempotency-Key"), string(body), fence, r.Header.Get("Content-Type")}
		n.mu.Lock()
		n.calls = append(n.calls, c)
		n.mu.Unlock()
		status := answer(c)
		if status == hangUp {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// all returns the calls so far.
func (n *nextSystem) all() []call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]call(nil), n.calls...)
}

// about returns the calls with that body.
func (n *nextSystem) about(body string) []call {
	var found []call
	for _, c := range n.all() {
		if c.body == body {
			found = append(found, c)
		}
	}
	return found
}

// checkFences fails the test unless all calls have one key and growing
// fencing numbers.
func checkFences(t *testing.T, calls []call) {
	t.Helper()
	for i, c := range calls {
		if c.key == "" || c.fence <= 0 || i > 0 && (c.key != calls[i-1].key || c.fence <= calls[i-1].fence) {
			t.Errorf("call %d: got key %q and fencing number %d, want the same key and a number that grew: %+v", i, c.key, c.fence, calls)
		}
	}
}
