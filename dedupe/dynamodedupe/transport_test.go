package dynamodedupe_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// Requests over HTTPClient keep their connections: a server that answers at
// once makes none of them count as broken, so no answer is lost with one.
func TestHTTPClientKeepsConnections(t *testing.T) {
	s := ddbtest.New(ddbtest.Options{})
	var conns atomic.Int32
	ts := httptest.NewUnstartedServer(s.Handler())
	ts.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	ts.Start()
	defer ts.Close()
	client := s.Client(func(o *dynamodb.Options) {
		o.HTTPClient, o.BaseEndpoint = dynamodedupe.HTTPClient(), aws.String(ts.URL)
	})
	if err := dynamodedupe.CreateTable(t.Context(), client, table); err != nil {
		t.Fatal(err)
	}
	store := dynamodedupe.New(client, table)
	for range 200 {
		vs, err := store.Apply(t.Context(), claims(1, 2))
		if err != nil || vs[1].Outcome != dedupe.Won {
			t.Fatalf("%+v, %v", vs, err)
		}
	}
	for _, req := range s.Requests() {
		if req.Attempt > 1 {
			t.Errorf("%s: attempt %d, want no retries", req.Op, req.Attempt)
		}
	}
	if n := conns.Load(); n > 2 {
		t.Errorf("%d connections, want one or two", n)
	}
}

// A request body goes out whole, be its length known or not, and one that is
// shorter than announced is an error.
func TestHTTPClientBodies(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer ts.Close()
	body := strings.Repeat("0123456789", 10_000)
	for length, fails := range map[int]bool{len(body): false, -1: false, len(body) + 1: true} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, ts.URL, io.NopCloser(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(length)
		resp, err := dynamodedupe.HTTPClient().Do(req)
		if (err != nil) != fails {
			t.Errorf("length %d: error %v, want one: %t", length, err, fails)
		}
		if err != nil {
			continue
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != body {
			t.Errorf("length %d: %d bytes came back, %v, want those that were sent", length, len(got), err)
		}
	}
}
