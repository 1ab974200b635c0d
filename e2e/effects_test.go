package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// call is what the next system was asked to do, and whether it did it.
type call struct {
	order, key string
	fence      int64
	done       bool
}

// nextSystem is where effects go: the EffectUrl of a stack. It refuses orders
// named poison..., and orders named flaky... the first time.
type nextSystem struct {
	url string

	mu    sync.Mutex
	calls []call
}

func newNextSystem(t *testing.T) *nextSystem {
	t.Helper()
	n := new(nextSystem)
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// ServeHTTP is asked for one effect.
func (n *nextSystem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		OrderID string `json:"order_id"`
	}
	text, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(text, &body)
	c := call{order: body.OrderID, key: r.Header.Get("Idempotency-Key")}
	c.fence, _ = strconv.ParseInt(r.Header.Get("Fencing-Token"), 10, 64)
	status := http.StatusOK
	n.mu.Lock()
	switch first := len(n.about(c.order)) == 0; {
	case strings.HasPrefix(c.order, "poison"):
		status = http.StatusUnprocessableEntity
	case strings.HasPrefix(c.order, "flaky") && first:
		status = http.StatusInternalServerError
	}
	c.done = status == http.StatusOK
	n.calls = append(n.calls, c)
	n.mu.Unlock()
	w.WriteHeader(status)
}

// about returns the calls about an order. The caller holds mu.
func (n *nextSystem) about(order string) []call {
	var found []call
	for _, c := range n.calls {
		if c.order == order {
			found = append(found, c)
		}
	}
	return found
}

// done counts the effects so far.
func (n *nextSystem) done() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, c := range n.calls {
		if c.done {
			count++
		}
	}
	return count
}

// all returns the calls so far.
func (n *nextSystem) all() []call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls)
}

// tries counts the calls about an order.
func (n *nextSystem) tries(order string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.about(order))
}

// check fails the test unless each of the orders had its effect once, and
// every call about one came with the same key and a fencing number that grew.
func (n *nextSystem) check(t *testing.T, orders []string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	want := map[string]int{}
	for _, order := range orders {
		want[order] = 1
	}
	got := map[string]int{}
	last := map[string]call{}
	keys := map[string]string{}
	for _, c := range n.calls {
		if c.done {
			got[c.order]++
		}
		if before, again := last[c.order]; again && (c.key != before.key || c.fence <= before.fence) {
			t.Errorf("order %q: got key %q and fencing number %d after %q and %d, want the same key and a number that grew",
				c.order, c.key, c.fence, before.key, before.fence)
		}
		if other, taken := keys[c.key]; c.key == "" || taken && other != c.order {
			t.Errorf("order %q: got key %q, which is order %q's too, want one of its own", c.order, c.key, other)
		}
		last[c.order], keys[c.key] = c, c.order
	}
	for _, order := range orders {
		if got[order] != 1 {
			t.Errorf("order %q: got %d effects, want 1", order, got[order])
		}
	}
	for order, count := range got {
		if want[order] == 0 {
			t.Errorf("order %q: got %d effects, want none", order, count)
		}
	}
}
