package lambdasource_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

const (
	standardARN = "arn:aws:sqs:eu-central-1:123456789012:orders"
	fifoARN     = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
)

var errRefused = errors.New("card refused")

// newGuard returns a guard over a store of its own.
func newGuard(o dedupe.Options) *dedupe.Guard {
	o.Consumer = "test"
	return dedupe.New(memdedupe.New(), o)
}

// message is a message of a queue as Lambda delivers it.
func message(arn, id, group, body string) events.SQSMessage {
	m := events.SQSMessage{
		MessageId: id, ReceiptHandle: "handle-" + id, Body: body, EventSource: "aws:sqs", EventSourceARN: arn,
		Attributes: map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1795263775000"},
	}
	if group != "" {
		m.Attributes["MessageGroupId"] = group
	}
	return m
}

// batchOf returns the payload with messages of a standard queue, one for each
// body, whose ids are the bodies.
func batchOf(t testing.TB, bodies ...string) []byte {
	var ms []events.SQSMessage
	for _, b := range bodies {
		ms = append(ms, message(standardARN, b, "", b))
	}
	return payloadOf(t, ms...)
}

func payloadOf(t testing.TB, ms ...events.SQSMessage) []byte {
	t.Helper()
	payload, err := json.Marshal(events.SQSEvent{Records: ms})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// sample returns a file of testdata.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// a journal is a handler that writes down which bodies it was called with,
// and fails those that start with "bad".
type journal struct {
	mu     sync.Mutex
	bodies []string
}

func (j *journal) HandleRecord(_ context.Context, rec *consumer.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bodies = append(j.bodies, string(rec.Body))
	if strings.HasPrefix(string(rec.Body), "bad") {
		return errRefused
	}
	return nil
}

// ran returns the bodies in the order in which they came.
func (j *journal) ran() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.bodies)
}

// idsOf returns the messageIds of a payload.
func idsOf(t testing.TB, payload []byte) (ids []string) {
	t.Helper()
	var e struct {
		Records []struct{ MessageID string }
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Records {
		ids = append(ids, m.MessageID)
	}
	return ids
}

// failed invokes h and returns the ids that it reports, as AWS reads them. A
// response that is no list, or names an id twice, is an error of the test.
func failed(t testing.TB, h lambda.Handler, payload []byte) []string {
	t.Helper()
	return failedIn(t, context.Background(), h, payload)
}

func failedIn(t testing.TB, ctx context.Context, h lambda.Handler, payload []byte) []string {
	t.Helper()
	response, err := h.Invoke(ctx, payload)
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	if !strings.HasPrefix(string(response), `{"batchItemFailures":[`) {
		t.Fatalf("response %s has no list", response)
	}
	ids, err := lambdatest.BatchItemFailures(response, idsOf(t, payload))
	if err != nil {
		t.Fatalf("AWS refuses %s: %v", response, err)
	}
	if n := strings.Count(string(response), "itemIdentifier"); n != len(ids) {
		t.Fatalf("response %s names %d ids, want each once", response, n)
	}
	return ids
}

// want checks a list of ids or bodies.
func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// numbered returns n texts that differ.
func numbered(n int) (texts []string) {
	for i := range n {
		texts = append(texts, "m"+strconv.Itoa(i))
	}
	return texts
}
