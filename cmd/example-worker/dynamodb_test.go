package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// dynamoDB returns the endpoint of a DynamoDB and a table on it: a real one
// where the environment names it, else the one that is played in this process.
func dynamoDB(t *testing.T) (endpoint, table string) {
	t.Helper()
	endpoint = os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		server := httptest.NewServer(ddbtest.New(ddbtest.Options{}).Handler())
		t.Cleanup(server.Close)
		endpoint = server.URL
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: dynamodedupe.HTTPClient(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	table = "worker-" + rand.Text()
	if err := dynamodedupe.CreateTable(t.Context(), client, table); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &table})
	})
	return endpoint, table
}

// Two processes that share a table do the work of an order once, whichever of
// them its messages reach; what failed in one is done by the other.
func TestEndpointSharedTable(t *testing.T) {
	endpoint, table := dynamoDB(t)
	var refused atomic.Bool
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "o2") && refused.CompareAndSwap(false, true) {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	env := []string{"STORE=dynamodb:" + table, "KEY=/order_id", "EFFECT_URL=" + next.url, "AWS_ENDPOINT_URL_DYNAMODB=" + endpoint}
	one, other := startFunction(t, 1, env...), startFunction(t, 1, env...)
	first, second := `{"order_id":"o1"}`, `{"order_id":"o2"}`
	if got := one.failed(t, batch(t, "m1", first, "m2", second)); got != "m2" {
		t.Errorf("first process: got failures %q, want m2", got)
	}
	if got := other.failed(t, batch(t, "m3", first, "m2", second)); got != "" {
		t.Errorf("second process: got failures %q, want none", got)
	}
	for body, want := range map[string]int{first: 1, second: 2} {
		calls := next.about(body)
		if len(calls) != want {
			t.Errorf("%s: got %d calls, want %d", body, len(calls), want)
		}
		checkFences(t, calls)
	}
}

// A table that is not there ends the worker at once, with a line that names it.
func TestEndpointMissingTable(t *testing.T) {
	endpoint, table := dynamoDB(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	code, _, stderr := runWith(t, map[string]string{runtimeAPI: "127.0.0.1:1"}, "lambda", "--store", "dynamodb:no-"+table)
	if code != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "no-"+table) {
		t.Errorf("got code %d, stderr %q, want 2 and one line that names the table", code, stderr)
	}
}
