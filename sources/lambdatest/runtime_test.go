package lambdatest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// Ensure that one process serves one invocation after the other, each with its
// own request id and deadline.
func TestRuntimeInvokes(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Name: "orders", Region: "eu-west-1"})
	before := time.Now()
	first := invoke(t, r, `{}`)
	second := invoke(t, r, `{}`)
	if first.PID != second.PID || r.Starts() != 1 {
		t.Errorf("got processes %d and %d of %d, want one", first.PID, second.PID, r.Starts())
	}
	if first.RequestID == "" || first.RequestID == second.RequestID {
		t.Errorf("got request ids %q and %q, want two", first.RequestID, second.RequestID)
	}
	if want := "arn:aws:lambda:eu-west-1:000000000000:function:orders"; first.ARN != want {
		t.Errorf("got ARN %q, want %q", first.ARN, want)
	}
	deadline := time.UnixMilli(first.Deadline)
	if deadline.Before(before.Add(29*time.Second)) || deadline.After(time.Now().Add(30*time.Second)) {
		t.Errorf("got deadline %v, want about 30 seconds after %v", deadline, before)
	}
}

// Ensure that the caller's deadline is the function's when it is the nearer one.
func TestRuntimeCallersDeadline(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	want := time.Now().Add(20 * time.Second)
	ctx, cancel := context.WithDeadline(t.Context(), want)
	defer cancel()
	out, err := r.Invoke(ctx, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	var got answer
	if err := json.Unmarshal(out, &got); err != nil || got.Deadline != want.UnixMilli() {
		t.Errorf("got deadline %d (%v), want %d", got.Deadline, err, want.UnixMilli())
	}
}

// Ensure that the process has Lambda's variables and the caller's, and nothing
// of the test's environment besides.
func TestRuntimeEnvironment(t *testing.T) {
	t.Setenv("AWS_PROFILE", "the developer's own")
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{
		Name: "orders", Region: "eu-west-1", MemorySize: 512, MaxConcurrency: 2, Env: []string{"STORE=memory:", "TZ=Europe/Berlin"},
	})
	for name, want := range map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME":        "orders",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_MAX_CONCURRENCY":      "2",
		"AWS_REGION":                      "eu-west-1",
		"_HANDLER":                        "bootstrap",
		"AWS_PROFILE":                     "",
		"STORE":                           "memory:",
		"TZ":                              "Europe/Berlin",
	} {
		if got := invoke(t, r, `{"do":"env","text":"`+name+`"}`).Text; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// Ensure that a returned error reaches the caller and the process lives on.
func TestRuntimeFunctionError(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"fail","text":"no stock"}`))
	wantFunctionError(t, err, "errorString", "no stock")
	invoke(t, r, `{}`)
	if r.Starts() != 1 {
		t.Errorf("got %d processes, want 1", r.Starts())
	}
}

// Ensure that a panic is reported with its stack, ends the process, and the next
// invocation has a new one.
func TestRuntimePanic(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"panic","text":"oh"}`))
	fe := wantFunctionError(t, err, "string", "oh")
	inHandle := func(f lambdatest.StackFrame) bool {
		return f.Label == "handle" && strings.HasSuffix(f.Path, "main.go") && f.Line > 0
	}
	if !slices.ContainsFunc(fe.StackTrace, inHandle) {
		t.Errorf("got stack %+v, want handle in it", fe.StackTrace)
	}
	invoke(t, r, `{}`)
	if r.Starts() != 2 {
		t.Errorf("got %d processes, want 2", r.Starts())
	}
}

// Ensure that a process that exits fails its invocation as Lambda names it.
func TestRuntimeExit(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"exit"}`))
	wantFunctionError(t, err, "Runtime.ExitError", "exit status 4")
	invoke(t, r, `{}`)
}

// Ensure that a missed deadline fails the invocation and kills the process.
func TestRuntimeTimeout(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Timeout: 300 * time.Millisecond})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"hang"}`))
	wantFunctionError(t, err, "Sandbox.Timedout", "Task timed out after 0.30 seconds")
	if !errors.Is(err, lambdatest.ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
	invoke(t, r, `{}`)
	if r.Starts() != 2 {
		t.Errorf("got %d processes, want 2", r.Starts())
	}
}

// hang starts n invocations that do not end, and returns their errors to come
// once all of them have begun.
func hang(t *testing.T, r *lambdatest.Runtime, stdout io.Reader, n int) <-chan error {
	t.Helper()
	failed := make(chan error, n)
	for range n {
		go func() {
			_, err := r.Invoke(t.Context(), []byte(`{"do":"hang"}`))
			failed <- err
		}()
	}
	lines := bufio.NewScanner(stdout)
	for range n {
		if !lines.Scan() {
			t.Fatalf("function did not begin: %v", lines.Err())
		}
	}
	go io.Copy(io.Discard, stdout)
	return failed
}

// Ensure that Kill fails the running invocations at once and the next one finds
// a new process.
func TestRuntimeKill(t *testing.T) {
	stdout, w := io.Pipe()
	defer w.Close()
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Stdout: w, MaxConcurrency: 3})
	failed := hang(t, r, stdout, 3)
	r.Kill()
	for range 3 {
		wantFunctionError(t, <-failed, "Runtime.ExitError", "killed")
	}
	invoke(t, r, `{}`)
	if r.Starts() != 2 {
		t.Errorf("got %d processes, want 2", r.Starts())
	}
}

// Ensure that Close fails the running invocations, refuses later ones and may
// be called twice.
func TestRuntimeClose(t *testing.T) {
	stdout, w := io.Pipe()
	defer w.Close()
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Stdout: w})
	failed := hang(t, r, stdout, 1)
	waiting := make(chan error)
	go func() {
		_, err := r.Invoke(t.Context(), []byte(`{}`)) // finds no free slot
		waiting <- err
	}()
	r.Close()
	for _, err := range []error{<-failed, <-waiting} {
		if !errors.Is(err, lambdatest.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
	r.Close()
	if _, err := r.Invoke(t.Context(), nil); !errors.Is(err, lambdatest.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}

// Ensure that the process is gone, not only on its way, when Close returns.
func TestRuntimeCloseWaitsForProcess(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	pid := invoke(t, r, `{}`).PID
	r.Close()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(syscall.Signal(0))
	}
	if err == nil {
		t.Errorf("process %d is alive after Close", pid)
	}
}

// Ensure that a caller may leave while its invocation goes on to its deadline,
// which still kills the process.
func TestRuntimeCancelledCaller(t *testing.T) {
	stdout, w := io.Pipe()
	defer w.Close()
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Stdout: w, Timeout: 500 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := r.Invoke(ctx, []byte(`{"do":"hang"}`))
		left <- err
	}()
	if !bufio.NewScanner(stdout).Scan() {
		t.Fatal("function did not begin")
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	go io.Copy(io.Discard, stdout)
	invoke(t, r, `{}`)
	if r.Starts() != 2 {
		t.Errorf("got %d processes, want a second one after the deadline", r.Starts())
	}
}

// Ensure that an invocation without a free slot times out without having run.
func TestRuntimeNoFreeSlot(t *testing.T) {
	stdout, w := io.Pipe()
	defer w.Close()
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{Stdout: w})
	failed := hang(t, r, stdout, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := r.Invoke(ctx, []byte(`{}`))
	wantFunctionError(t, err, "Sandbox.Timedout", "no free slot")
	r.Kill()
	<-failed
	if r.Starts() != 1 {
		t.Errorf("got %d processes, want 1", r.Starts())
	}
}

// Ensure that MaxConcurrency invocations run in one process at the same time.
func TestRuntimeConcurrency(t *testing.T) {
	const n = 4
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{MaxConcurrency: n})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			out, err := r.Invoke(t.Context(), []byte(`{"do":"meet"}`))
			if err != nil || !strings.Contains(string(out), `"together":4`) {
				t.Errorf("got %s, %v, want 4 handlers together", out, err)
			}
		})
	}
	wg.Wait()
	if r.Starts() != 1 {
		t.Errorf("got %d processes, want 1", r.Starts())
	}
}

// Ensure that a streamed answer that breaks off is a function error, as its
// trailers say.
func TestRuntimeBrokenStream(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"break"}`))
	wantFunctionError(t, err, "errorString", "stream broke")
}

// Ensure that neither a response nor a payload may exceed 6 MB.
func TestRuntimeSizeLimits(t *testing.T) {
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	_, err := r.Invoke(t.Context(), []byte(`{"do":"large"}`))
	wantFunctionError(t, err, "Function.ResponseSizeTooLarge", "6291456 bytes")
	if _, err := r.Invoke(t.Context(), make([]byte, 6<<20+1)); err == nil {
		t.Error("a payload above 6 MB was accepted")
	}
}

// Ensure that a process that dies or hangs before it asks for work fails the
// invocation that waits for it.
func TestRuntimeInitFailure(t *testing.T) {
	for _, tc := range []struct{ name, program, env, kind, message string }{
		{"exits", "function", "EXIT_AT_INIT=1", "Runtime.ExitError", "exit status 3"},
		{"hangs", "function", "HANG_AT_INIT=1", "Sandbox.Timedout", "Init"},
		{"reports", "rawruntime", "INIT_ERROR=1", "Extension.Missing", "no such thing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRuntime(t, tc.program, lambdatest.RuntimeOptions{
				Env: []string{tc.env}, InitTimeout: 2 * time.Second,
			})
			_, err := r.Invoke(t.Context(), []byte(`{}`))
			wantFunctionError(t, err, tc.kind, tc.message)
			if r.Starts() != 1 {
				t.Errorf("got %d processes, want 1", r.Starts())
			}
		})
	}
}

// Ensure that answers nobody waits for are refused and the awaited one is not.
func TestRuntimeRefusesStaleAnswers(t *testing.T) {
	r := newRuntime(t, "rawruntime", lambdatest.RuntimeOptions{})
	if _, err := r.Invoke(t.Context(), []byte(`"try"`)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Invoke(t.Context(), []byte(`"report"`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "unknown=400 late-init=403 first=202 second=400 error-after=400"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Ensure that a function that cannot be started is an error of its own.
func TestRuntimeMissingBinary(t *testing.T) {
	r := lambdatest.NewRuntime(lambdatest.RuntimeOptions{Path: "testdata/missing"})
	defer r.Close()
	if _, err := r.Invoke(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}
