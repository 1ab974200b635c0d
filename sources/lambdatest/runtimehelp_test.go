package lambdatest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// newRuntime returns a runtime of testdata/name that leaves nothing behind.
func newRuntime(t *testing.T, name string, opts lambdatest.RuntimeOptions) *lambdatest.Runtime {
	t.Helper()
	path, err := compile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	opts.Path = path
	if opts.Timeout == 0 {
		opts.Timeout = 30 * time.Second
	}
	r := lambdatest.NewRuntime(opts)
	t.Cleanup(func() {
		r.Close()
		wantNoGoroutines(t)
	})
	return r
}

// wantNoGoroutines fails the test when code of the package still runs.
func wantNoGoroutines(t *testing.T) {
	t.Helper()
	var stacks []byte
	for range 1000 {
		stacks = make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		// Methods of the package, as opposed to its tests.
		if !bytes.Contains(stacks, []byte("sources/lambdatest.(")) && !bytes.Contains(stacks, []byte("sources/lambdatest.start")) {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines left behind:\n%s", stacks)
}

type answer struct {
	PID       int    `json:"pid"`
	Text      string `json:"text"`
	RequestID string `json:"requestId"`
	ARN       string `json:"arn"`
	Deadline  int64  `json:"deadline"`
	Together  int    `json:"together"`
}

func invoke(t *testing.T, i lambdatest.Invoker, payload string) answer {
	t.Helper()
	out, err := i.Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatalf("Invoke(%s): %v", payload, err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("Invoke(%s) = %q: %v", payload, out, err)
	}
	return a
}

func wantFunctionError(t *testing.T, err error, kind, message string) *lambdatest.FunctionError {
	t.Helper()
	fe, ok := errors.AsType[*lambdatest.FunctionError](err)
	if !ok || fe.Type != kind || !strings.Contains(fe.Message, message) {
		t.Fatalf("got error %v, want a FunctionError %s with %q", err, kind, message)
	}
	return fe
}
