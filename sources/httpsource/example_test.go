package httpsource_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// A client that did not get the answer sends its request again, with the same
// key.
func Example() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders"})
	placed := 0
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// dedupe.FromContext(r.Context()) gives the key for the next system.
		placed++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "order %d", placed)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /orders", httpsource.Once(guard, orders))

	send := func(key, body string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/orders", strings.NewReader(body))
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		text := w.Body.String()
		if w.Header().Get("Content-Type") == "application/problem+json" {
			text = "a problem"
		}
		fmt.Printf("%d %s, replayed: %q\n", w.Code, text, w.Header().Get("Idempotency-Replayed"))
	}
	send(`"8e03978e"`, `{"item":"book"}`)
	send(`"8e03978e"`, `{"item":"book"}`)
	send(`"8e03978e"`, `{"item":"lamp"}`)
	// Output:
	// 201 order 1, replayed: ""
	// 201 order 1, replayed: "true"
	// 422 a problem, replayed: ""
}
