package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// A burst of 10,000 messages of 10 KiB leaves a poller's process below 40 MiB, each handled once and deleted.
func TestBurst(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("builds a program, and needs a system that tells what is resident")
	}
	bin := filepath.Join(t.TempDir(), "memory") // this program would be larger, with tests and the race detector in it
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), bin, "--messages", "10000", "--body", "10240", "--handler", "20ms",
		"--dedupe", "none,memory", "--most", "40").CombinedOutput()
	if err != nil {
		t.Errorf("got %v, want at most 40 MiB\n%s", err, out)
	}
	t.Logf("%s", out)
}
