package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the server, as the program is its own.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serveCommand {
		main()
	}
	os.Exit(m.Run())
}

// The program measures every contender in every cell, on a server in another
// process, and writes the same figures as text and as JSON.
func TestProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.json")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"--rounds=1", "--turn=1ms", "--batch=10", "--rtt=0s,1ms", "--json", file}, &stdout, &stderr)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Figures) != 3*2*4 || len(r.Ratios) != 3*2*2+1 {
		t.Errorf("%d figures and %d ratios, want 24 and 13", len(r.Figures), len(r.Ratios))
	}
	requests := map[string]float64{
		caseFresh + nameOnlyonce: 0.2, caseFresh + nameBare: 0.2, caseFresh + nameHand: 2, caseFresh + nameHandOfTen: 2,
		caseDuplicate + nameOnlyonce: 0.2, caseDuplicate + nameBare: 0.2, caseDuplicate + nameHand: 1, caseDuplicate + nameHandOfTen: 1,
		caseMixed + nameOnlyonce: 0.3, caseMixed + nameBare: 0.3, caseMixed + nameHand: 1.5, caseMixed + nameHandOfTen: 1.5,
	}
	for _, f := range r.Figures {
		if want := requests[f.Case+f.Contender]; f.Requests.Median != want {
			t.Errorf("%s of %s: %v requests per record, want %v", f.Contender, f.Case, f.Requests.Median, want)
		}
		if f.CPU.Least <= 0 || f.Wall.Least <= f.RTT {
			t.Errorf("%s of %s: CPU %+v, time %+v with a round trip of %v ms", f.Contender, f.Case, f.CPU, f.Wall, f.RTT)
		}
	}
	for _, want := range []string{"Client CPU per record", "Requests per record", "Time per batch", "aim at most"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
}

// Figures that cannot be written to a file are shown all the same.
func TestNoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing", "out.json")
	var stdout, stderr bytes.Buffer
	args := []string{"--rounds=1", "--turn=1ms", "--batch=10", "--rtt=0s", "--case=fresh", "--contender=bare", "--json", file}
	code := run(t.Context(), args, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), file) || !strings.Contains(stdout.String(), "Client CPU per record") {
		t.Errorf("exit code %d, want %d, the name of the file in\n%s\nand the figures in\n%s", code, exitFailed, stderr.String(), stdout.String())
	}
}

// Mistakes end with 2, help with 0, an interrupt with 130.
func TestExitCodes(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context //nolint:containedctx // of a table
		args string
		want int
		text string
	}{
		{t.Context(), "--help", 0, "Usage: dynamodb"},
		{t.Context(), "--case=old", exitUsage, "none of fresh, duplicate, mixed"},
		{t.Context(), "--batch=1", exitUsage, "two records"},
		{t.Context(), "--rtt=-1ms", exitUsage, "not negative"},
		{t.Context(), "--rounds=0", exitUsage, "at least one round"},
		{t.Context(), "again", exitUsage, "takes flags only"},
		{ended, "--rounds=1", exitInterrupted, "interrupted"},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(c.ctx, strings.Fields(c.args), &stdout, &stderr); got != c.want || !strings.Contains(stderr.String(), c.text) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", c.args, got, c.want, c.text, stderr.String())
		}
	}
}
