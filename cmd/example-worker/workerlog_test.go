package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/zap"
)

const workerLines = `{"level":"info","msg":"finished before, not run","event":"duplicate"}
{"level":"warn","msg":"failed","event":"released","ran":true,"err":"effect: status 500"}
{"level":"info","msg":"given back without a run","event":"released","ran":false}
{"level":"info","msg":"in progress elsewhere","event":"in_progress"}
{"level":"info","msg":"finished before, not run","event":"duplicate","in_process":true}
{"level":"error","msg":"store failed","event":"store_failed","err":"disk full"}
panic: something
`

// Events are counted however the log is cut into pieces, and a person sees
// what the demo did not do itself.
func TestWorkerLog(t *testing.T) {
	for piece := 1; piece < 200; piece += 13 {
		var shown bytes.Buffer
		w := &workerLog{to: &shown, from: zap.WarnLevel}
		for rest := workerLines; rest != ""; {
			n := min(piece, len(rest))
			w.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if got, want := w.count(), (workerCounts{skipped: 2, failed: 1, busy: 1}); got != want {
			t.Errorf("pieces of %d: got %+v, want %+v", piece, got, want)
		}
		if got := shown.String(); !strings.HasPrefix(got, `{"level":"error"`) || !strings.HasSuffix(got, "panic: something\n") || strings.Count(got, "\n") != 2 {
			t.Errorf("pieces of %d: got %q, want the error and the panic", piece, got)
		}
		if got := w.lastWords(); got != "panic: something" {
			t.Errorf("pieces of %d: got last words %q", piece, got)
		}
	}
}

// Asked for more, the log shows every line from its level up; unasked, it
// shows no more than a few.
func TestWorkerLogLevels(t *testing.T) {
	for from, want := range map[level]int{zap.InfoLevel: 700, zap.WarnLevel: mostShown, zap.ErrorLevel: mostShown} {
		var shown bytes.Buffer
		w := &workerLog{to: &shown, from: from}
		for range 100 {
			w.Write([]byte(workerLines))
		}
		if got := strings.Count(shown.String(), "\n"); got != want {
			t.Errorf("from %v: got %d lines, want %d", from, got, want)
		}
	}
}
