package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
)

// proxied is the worker as a process whose DynamoDB is behind a proxy.
type proxied struct {
	function
	*awsproxy.Proxy
}

// startProxied starts one, without faults and through with the look at its
// table.
func startProxied(t *testing.T, env ...string) proxied {
	t.Helper()
	endpoint, table := dynamoDB(t)
	proxy, err := awsproxy.Start(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	env = append(env, "STORE=dynamodb:"+table, "KEY=/order_id", "LEASE=10m", "AWS_ENDPOINT_URL_DYNAMODB="+proxy.URL())
	w := proxied{Proxy: proxy, function: startFunction(t, 1, env...)}
	if got := w.failed(t, orders(t, 100, 101)); got != "" {
		t.Fatalf("got failures %q of a first order", got)
	}
	proxy.Reset()
	return w
}

// orderBody is the body of an order, and orders a payload of those from first to
// before end.
func orderBody(n int) string { return fmt.Sprintf(`{"order_id":"o%d"}`, n) }

func orders(t *testing.T, first, end int) []byte {
	t.Helper()
	var messages []string
	for n := first; n < end; n++ {
		messages = append(messages, fmt.Sprint("m", n), orderBody(n))
	}
	return batch(t, messages...)
}

// wantCalls checks how often the next system was called for each of these
// orders.
func (n *nextSystem) wantCalls(t *testing.T, want, first, end int) {
	t.Helper()
	for i := first; i < end; i++ {
		if got := n.about(orderBody(i)); len(got) != want {
			t.Errorf("order %d: got %d calls, want %d", i, len(got), want)
		}
	}
}

// Counted on the network, an invocation with ten fresh orders takes at most
// three requests, with ten duplicates two, with five of each four.
func TestEndpointWorkerRequests(t *testing.T) {
	w := startProxied(t, "LOG_LEVEL=debug") // the work is one line
	for _, c := range []struct {
		name             string
		first, end, most int
	}{{"ten fresh", 0, 10, 3}, {"ten duplicates", 0, 10, 2}, {"five fresh, five duplicates", 5, 15, 4}} {
		w.Reset()
		if got := w.failed(t, orders(t, c.first, c.end)); got != "" {
			t.Errorf("%s: got failures %q", c.name, got)
		}
		var ops []string
		for _, r := range w.Requests() {
			ops = append(ops, r.Op)
		}
		if len(ops) > c.most {
			t.Errorf("%s: got %d requests %q, want at most %d", c.name, len(ops), ops, c.most)
		}
		t.Logf("%s: %q", c.name, ops)
	}
	if got, want := strings.Count(w.log.String(), `"msg":"work"`), 15+1; got != want {
		t.Errorf("got %d runs, want %d", got, want)
	}
}

// Whichever response to the process is lost, to its claims or to its
// completions, no order is reported and each is one call of the next system.
func TestEndpointWorkerLostResponse(t *testing.T) {
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	w := startProxied(t, "EFFECT_URL="+next.url)
	for i, completes := range []bool{false, true} {
		var lost atomic.Bool
		w.Fault(func(r awsproxy.Request) awsproxy.Action {
			hit := bytes.Contains(r.Input, []byte(`"COMPLETED"`)) == completes
			return awsproxy.Action{DropResponse: hit && lost.CompareAndSwap(false, true)}
		})
		for range 2 {
			if got := w.failed(t, orders(t, 10*i, 10*i+10)); got != "" {
				t.Errorf("got failures %q", got)
			}
		}
		if !lost.Load() {
			t.Error("no response was lost")
		}
	}
	next.wantCalls(t, 1, 0, 20)
}

// While its DynamoDB is down the process calls nobody and reports every order;
// the same process does them once it is back.
func TestEndpointWorkerStoreDown(t *testing.T) {
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	w := startProxied(t, "EFFECT_URL="+next.url)
	w.Down()
	if got := w.failed(t, orders(t, 0, 10)); !strings.HasPrefix(got, "all: ") {
		t.Errorf("got failures %q, want that all failed", got)
	}
	next.wantCalls(t, 0, 0, 10)
	w.Up()
	for range 2 {
		if got := w.failed(t, orders(t, 0, 10)); got != "" {
			t.Errorf("got failures %q once the store is back", got)
		}
	}
	next.wantCalls(t, 1, 0, 10)
}
