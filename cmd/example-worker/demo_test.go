package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// demoProcess is a demo in a process of its own.
type demoProcess struct {
	*exec.Cmd
	stdout, stderr lockedBuffer
	temp           string
}

// startDemo starts a demo that writes to stdout, if that is not nil.
func startDemo(t *testing.T, stdout *os.File, args ...string) *demoProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	d := &demoProcess{Cmd: exec.CommandContext(ctx, self, append([]string{"demo"}, args...)...), temp: t.TempDir()}
	d.Env = append(os.Environ(), "TMPDIR="+d.temp)
	d.Stdout, d.Stderr = &d.stdout, &d.stderr
	if stdout != nil {
		d.Stdout = stdout
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	return d
}

// end returns the exit code and checks that nothing is left behind.
func (d *demoProcess) end(t *testing.T) int {
	t.Helper()
	if err := d.Wait(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(d.temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	return d.ProcessState.ExitCode()
}

// The demo ends with every order handled once although its worker was killed
// in mid-batch, and the last line of stdout is its result.
func TestDemo(t *testing.T) {
	t.Parallel()
	for _, via := range []string{viaLambda, viaPoll} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			demoOf200(t, via)
		})
	}
}

func demoOf200(t *testing.T, via string) {
	t.Helper()
	d := startDemo(t, nil, "--messages", "200", "--json", "--via", via)
	if code := d.end(t); code != 0 {
		t.Errorf("got exit code %d, want 0: %s", code, &d.stderr)
	}
	lines := strings.Split(strings.TrimSpace(d.stdout.String()), "\n")
	var r map[string]float64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("last line of %q: %v", d.stdout.String(), err)
	}
	if len(r) != 8 || r["messages"] != 200 || r["effects"] != 200 || r["lost"] != 0 || r["doubled"] != 0 || r["seconds"] <= 0 {
		t.Errorf("got %v, want 200 orders, each with one effect", r)
	}
	if r["deliveries"] < 220 || r["duplicates_skipped"] < 10 || r["failures"] < 5 {
		t.Errorf("got %v, want the mishaps that were asked for", r)
	}
	if text := d.stderr.String(); !strings.Contains(text, "worker killed in mid-batch") || !strings.Contains(text, "All 200 orders took effect exactly once") {
		t.Errorf("got stderr %q, want the crash and the verdict", text)
	}
}

// Under the message id as the key the producer's second message is other
// work: the demo sees orders doubled and says so with its exit code.
func TestDemoTellsDoubledOrders(t *testing.T) {
	t.Parallel()
	d := startDemo(t, nil, "--messages", "60", "--duplicates", "0.3", "--key", "id", "--store", "memory:")
	if code := d.end(t); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	if text := d.stdout.String(); !strings.Contains(text, "FAILED: of 60 orders 0 were lost and") {
		t.Errorf("got %q, want that orders were doubled", text)
	}
}

// An interrupted demo ends at once with exit code 130 and leaves nothing.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	d := startDemo(t, nil, "--messages", "10000")
	waitFor(t, "progress", func() bool {
		return strings.Contains(d.stdout.String(), "killed") || strings.Contains(d.stdout.String(), "10 %")
	})
	at := time.Now()
	if err := d.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := d.end(t); code != 130 {
		t.Errorf("got exit code %d, want 130", code)
	}
	if took := time.Since(at); took > 10*time.Second {
		t.Errorf("took %v to end", took)
	}
	if got := d.stderr.String(); got != "example-worker demo: interrupted\n" {
		t.Errorf("got stderr %q", got)
	}
}

// An interrupted demo with --json tells how far it came.
func TestDemoInterruptedJSON(t *testing.T) {
	t.Parallel()
	d := startDemo(t, nil, "--messages", "10000", "--json")
	waitFor(t, "progress", func() bool { return strings.Contains(d.stderr.String(), "go through") })
	if err := d.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := d.end(t); code != 130 {
		t.Errorf("got exit code %d, want 130", code)
	}
	var r map[string]float64
	if err := json.Unmarshal([]byte(d.stdout.String()), &r); err != nil || r["messages"] != 10000 || r["effects"]+r["lost"] != 10000 {
		t.Errorf("got stdout %q (%v), want one result", d.stdout.String(), err)
	}
	if got := d.stderr.String(); !strings.HasSuffix(got, "\nexample-worker demo: interrupted\n") {
		t.Errorf("got stderr %q", got)
	}
}

// waitFor waits until done.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still waiting for ", what)
		}
	}
}

// A store that another process takes while the demo starts is a mistake of the
// caller, told once, by the demo.
func TestDemoStoreTaken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	taken, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := demoCommand().parse([]string{"--messages", "100", "--store", "bolt:" + path}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	var logs lockedBuffer
	d, err := newDemo(t.Context(), s, self, &logs)
	if err != nil {
		t.Fatal(err)
	}
	err = d.run(t.Context(), newProgress(io.Discard, s.messages, s.via, noEnv))
	if _, usage := errors.AsType[usageError](err); !usage || !strings.HasPrefix(err.Error(), "store file "+path+" is open in another process") {
		t.Errorf("got error %v, want a mistake that names the store", err)
	}
	if got := logs.String(); got != "" {
		t.Errorf("got %q from the worker, want nothing", got)
	}
}

// A demo that nobody watches any more ends early and leaves nothing.
func TestDemoUnwatched(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, w, "--messages", "10000")
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if code := d.end(t); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	if got := d.stderr.String(); !strings.Contains(got, "broken pipe") {
		t.Errorf("got stderr %q, want the reason", got)
	}
}

// A demo whose worker does not start says so instead of waiting for it.
func TestDemoWithoutWorker(t *testing.T) {
	t.Parallel()
	no, err := exec.LookPath("false")
	if err != nil {
		t.Skip("no program that fails:", err)
	}
	s, err := demoCommand().parse([]string{"--messages", "100", "--store", "memory:"}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	var out, logs bytes.Buffer
	d, err := newDemo(t.Context(), s, no, &logs)
	if err != nil {
		t.Fatal(err)
	}
	err = d.run(t.Context(), newProgress(&out, s.messages, viaLambda, func(string) string { return "" }))
	if got := errorText(err); !strings.Contains(got, "the worker's process does not stay") {
		t.Errorf("got %q, want that the worker does not stay", got)
	}
	if lost, _ := d.ledger.judge(); lost != 100 {
		t.Errorf("got %d orders lost, want all", lost)
	}
}
