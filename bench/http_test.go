package bench_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

const orderBody = `{"order_id":"o-1","items":[{"sku":"a","count":2}],"total":"19.90"}`

// order is the handler that HTTP requests are for.
func order() http.Handler {
	answer := []byte(`{"order_id":"o-1","status":"accepted"}`)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Location", "/orders/o-1")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	})
}

// BenchmarkHTTPBare is a request to the bare handler, without a server around
// it: what there is without onlyonce.
func BenchmarkHTTPBare(b *testing.B) {
	b.ReportAllocs()
	h := order()
	for b.Loop() {
		ask(b, h, "k", http.StatusCreated)
	}
}

// BenchmarkHTTPMemory is the same behind Once on the memory store: the first
// request of a key, and a retry of it.
func BenchmarkHTTPMemory(b *testing.B) {
	b.Run("first", func(b *testing.B) {
		ids := make([]string, round)
		for i := range ids {
			ids[i] = id(i)
		}
		used := round
		var h http.Handler
		b.ReportAllocs()
		for b.Loop() {
			if used == round {
				b.StopTimer()
				h, used = once(order()), 0
				b.StartTimer()
			}
			ask(b, h, ids[used], http.StatusCreated)
			used++
		}
	})
	b.Run("replay", func(b *testing.B) {
		h := once(order())
		b.ReportAllocs()
		for b.Loop() {
			ask(b, h, "k", http.StatusCreated)
		}
	})
}

func once(h http.Handler) http.Handler {
	return httpsource.Once(dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "bench"}), h)
}

// ask sends a request and returns its header.
func ask(tb testing.TB, h http.Handler, key string, want int) http.Header {
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "/orders", strings.NewReader(orderBody))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", key)
	w := discard{header: make(http.Header)}
	h.ServeHTTP(&w, req)
	if w.status != want {
		tb.Fatalf("got status %d, want %d", w.status, want)
	}
	return w.header
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) WriteHeader(status int)      { w.status = status }
func (w *discard) Write(p []byte) (int, error) { return len(p), nil }

// What the benchmarks take for a first request runs, and what they take for a
// replay does not.
func TestHTTPSetup(t *testing.T) {
	runs := 0
	h := once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		runs++
		w.WriteHeader(http.StatusCreated)
	}))
	for _, replayed := range []string{"", "true"} {
		if got := ask(t, h, "k", http.StatusCreated).Get("Idempotency-Replayed"); got != replayed || runs != 1 {
			t.Errorf("got replayed %q after %d runs, want %q after one", got, runs, replayed)
		}
	}
}
