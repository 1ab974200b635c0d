package main

import (
	"context"
	"debug/buildinfo"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// The program as it is deployed, built with lambda.norpc and started without
// arguments, is the function behind a queue and that of a rule.
func TestBuiltForLambda(t *testing.T) {
	t.Parallel()
	bootstrap := buildForLambda(t)
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	f := startProgram(t, bootstrap, nil, 1, "STORE=memory:", "EFFECT_URL="+next.url)
	for range 2 {
		if got := f.failed(t, batch(t, "m1", "from a queue")); got != "" {
			t.Errorf("SQS: got failures %q", got)
		}
	}
	f = startProgram(t, bootstrap, nil, 1, "STORE=memory:", "EFFECT_URL="+next.url, "SOURCE=eventbridge")
	for range 2 {
		if response, err := f.Invoke(t.Context(), []byte(event("e1", ""))); err != nil {
			t.Errorf("EventBridge: got %s and error %v", response, err)
		}
	}
	if calls := next.all(); len(calls) != 2 || calls[0].body != "from a queue" || calls[1].body != detail("e1") {
		t.Errorf("got calls %+v, want one for the message and one for the event", calls)
	}
}

// buildForLambda returns the path of the program, built for this machine.
func buildForLambda(t *testing.T) string {
	t.Helper()
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to build the worker with:", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(ctx, compiler, "build", "-tags", "lambda.norpc", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Settings, debug.BuildSetting{Key: "-tags", Value: "lambda.norpc"}) {
		t.Errorf("built with %v, want the tag lambda.norpc", info.Settings)
	}
	return path
}
