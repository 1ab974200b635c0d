package dynamodedupe_test

import (
	"net"
	"net/http"
	"net/http/httptest"
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
