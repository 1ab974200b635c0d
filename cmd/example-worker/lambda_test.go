package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// function is the program as a process of its own, invoked as Lambda does.
type function struct {
	*lambdatest.Runtime
	log *lockedBuffer
}

// startFunction prepares a function whose process the first invocation starts.
func startFunction(t *testing.T, concurrency int, env ...string) function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, self, []string{"lambda"}, concurrency, env...)
}

// startProgram does the same with any program.
func startProgram(t *testing.T, path string, args []string, concurrency int, env ...string) function {
	t.Helper()
	f := function{log: new(lockedBuffer)}
	f.Runtime = lambdatest.NewRuntime(lambdatest.RuntimeOptions{
		Path: path, Args: args, Env: env, MaxConcurrency: concurrency, Stderr: f.log,
	})
	t.Cleanup(func() {
		f.Close()
		f.checkLog(t)
	})
	return f
}

// checkLog fails the test unless every line of the log is a JSON object.
func (f function) checkLog(t *testing.T) {
	for line := range strings.Lines(f.log.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("line of the log is not JSON: %v: %s", err, line)
		}
	}
}

// batch is an SQS payload of messages given as id, body, id, body.
func batch(t *testing.T, idsAndBodies ...string) []byte {
	t.Helper()
	var messages []types.Message
	for pair := range slices.Chunk(idsAndBodies, 2) {
		messages = append(messages, types.Message{
			MessageId: aws.String(pair[0]), Body: aws.String(pair[1]), ReceiptHandle: aws.String("handle of " + pair[0]),
		})
	}
	payload, err := lambdatest.SQSEvent("arn:aws:sqs:us-east-1:000000000000:orders", messages)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// failed invokes f and returns the ids that it reports as failed.
func (f function) failed(t *testing.T, payload []byte) string {
	t.Helper()
	return failed(t, f, 20*time.Second, payload)
}

// failed invokes f and returns the ids that it reports as failed; an error of
// the invocation stands for all of them.
func failed(t *testing.T, f lambdatest.Invoker, timeout time.Duration, payload []byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	response, err := f.Invoke(ctx, payload)
	if fe, ok := errors.AsType[*lambdatest.FunctionError](err); ok {
		return "all: " + fe.Type + ": " + fe.Message
	}
	if err != nil {
		t.Error(err)
		return "all: " + err.Error()
	}
	var r struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(response, &r); err != nil {
		t.Errorf("response %s: %v", response, err)
	}
	var ids []string
	for _, item := range r.BatchItemFailures {
		ids = append(ids, item.ItemIdentifier)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// A batch reports the records that failed, for whatever reason, and no
// others; redelivered, what was done is skipped and what failed runs again
// under the same key with a larger fencing number.
func TestPartialBatch(t *testing.T) {
	bad := true
	var mu sync.Mutex
	next := newNextSystem(t, func(c call) int {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !bad:
			return http.StatusOK
		case strings.Contains(c.body, "r500"):
			return http.StatusInternalServerError
		case strings.Contains(c.body, "r422"):
			return http.StatusUnprocessableEntity
		case strings.Contains(c.body, "hang"):
			return hangUp
		}
		return http.StatusOK
	})
	f := startFunction(t, 1, "STORE=memory:", "KEY=/order_id", "EFFECT_URL="+next.url)
	payload := batch(t, "m1", `{"order_id":"ok"}`, "m2", `{"order_id":"r500"}`, "m3", `{"order_id":"r422"}`, "m4", `{"order_id":"hang"}`,
		"m5", `{"order":"no key"}`, "m6", `not json`, "m7", `{"order_id":7}`, "m8", `{"order_id":"7"}`)
	if got, want := f.failed(t, payload), "m2 m3 m4 m5 m6"; got != want {
		t.Errorf("got failures %q, want %q", got, want)
	}
	mu.Lock()
	bad = false
	mu.Unlock()
	if got, want := f.failed(t, payload), "m5 m6"; got != want {
		t.Errorf("redelivered: got failures %q, want %q", got, want)
	}
	for body, want := range map[string]int{
		`{"order_id":"ok"}`: 1, `{"order_id":7}`: 1, `{"order_id":"7"}`: 1, `not json`: 0, `{"order":"no key"}`: 0,
		`{"order_id":"r500"}`: 2, `{"order_id":"r422"}`: 2, `{"order_id":"hang"}`: 2,
	} {
		calls := next.about(body)
		if len(calls) != want {
			t.Errorf("%s: got %d calls, want %d", body, len(calls), want)
		}
		checkFences(t, calls)
	}
	if got := f.failed(t, batch(t, "m5", `{"order":"no key"}`)); !strings.HasPrefix(got, "all: ") {
		t.Errorf("got %q when every record failed, want an error", got)
	}
}

// With the source's id as the key a body is opaque, and the producer's second
// message is other work; with a business key it is not.
func TestKeyDecidesWhatIsTheSame(t *testing.T) {
	for key, want := range map[string]int{"id": 2, "/order_id": 1} {
		next := newNextSystem(t, func(call) int { return http.StatusOK })
		f := startFunction(t, 1, "STORE=memory:", "KEY="+key, "EFFECT_URL="+next.url)
		body := `{"order_id":"o1"}`
		for _, id := range []string{"m1", "m2", "m1"} {
			if got := f.failed(t, batch(t, id, body)); got != "" {
				t.Errorf("--key %s: got failures %q", key, got)
			}
		}
		if n := len(next.about(body)); n != want {
			t.Errorf("--key %s: got %d calls, want %d", key, n, want)
		}
		if key == "id" {
			if got := f.failed(t, batch(t, "m3", "plain text")); got != "" || len(next.about("plain text")) != 1 {
				t.Errorf("got failures %q for a body that is no JSON, want it handled", got)
			}
		}
	}
}

// Two invocations at once in one process that bring the same order make one
// effect, and both succeed or the later comes again.
func TestSameOrderInTwoInvocations(t *testing.T) {
	next := newNextSystem(t, func(call) int {
		time.Sleep(200 * time.Millisecond)
		return http.StatusOK
	})
	f := startFunction(t, 2, "STORE=memory:", "KEY=/order_id", "EFFECT_URL="+next.url)
	body := `{"order_id":"o1"}`
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { f.failed(t, batch(t, fmt.Sprint("m", i), body)) })
	}
	both.Wait()
	for i := range 2 {
		if got := f.failed(t, batch(t, fmt.Sprint("m", i), body)); got != "" {
			t.Errorf("redelivered: got failures %q", got)
		}
	}
	if n := len(next.about(body)); n != 1 {
		t.Errorf("got %d calls, want one", n)
	}
	if n := f.Starts(); n != 1 {
		t.Errorf("got %d processes, want one", n)
	}
}

// A payload that is not from the source fails the invocation and says what is
// wrong, and the process goes on.
func TestMalformedPayload(t *testing.T) {
	f := startFunction(t, 1, "STORE=memory:")
	for _, payload := range []string{`{}`, `[]`, `{"Records":[{"kinesis":{}}]}`, `{"id":"1","source":"s","detail-type":"d","detail":{}}`} {
		if got := f.failed(t, []byte(payload)); !strings.Contains(got, "lambdasource: want an SQS event") {
			t.Errorf("%s: got %q, want that it is no SQS event", payload, got)
		}
	}
	if got := f.failed(t, batch(t, "m1", "x")); got != "" || f.Starts() != 1 {
		t.Errorf("got failures %q in process %d, want none in the first", got, f.Starts())
	}
	if !strings.Contains(f.log.String(), "errorMessage") {
		t.Error("failed invocations are not in the log")
	}
}
