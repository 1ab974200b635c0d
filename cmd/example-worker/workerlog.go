package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"
)

// workerLog reads what the demo's worker logs: it counts the events that say
// what became of deliveries, and passes on what a person should see.
type workerLog struct {
	to   io.Writer
	from level

	mu      sync.Mutex
	partial []byte
	counts  workerCounts
	shown   int
	last    string // what was wrong last
	refusal string // the line with which a process refused its settings
}

// mostShown is how many lines are passed on unless more was asked for: what is
// wrong with all records is wrong ten thousand times.
const mostShown = 5

// workerCounts are the worker's own counts.
type workerCounts struct {
	skipped int // acknowledged without running the handler
	failed  int // runs of the handler that failed
	busy    int // deliveries that came back because the key was in progress
}

// logLine is what the demo looks at in a line.
type logLine struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Event string `json:"event"`
	Err   string `json:"err"`
	Ran   bool   `json:"ran"`
}

// Write takes a piece of the log, which need not end with a line.
func (w *workerLog) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := b
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			w.partial = append(w.partial, rest...)
			return len(b), nil
		}
		w.line(append(w.partial, line...))
		w.partial, rest = w.partial[:0], after
	}
}

func (w *workerLog) line(text []byte) {
	refusal, ok := bytes.CutPrefix(text, []byte(program+" lambda: "))
	if !ok {
		refusal, ok = bytes.CutPrefix(text, []byte(program+" poll: "))
	}
	if ok {
		w.refusal, w.last = string(refusal), string(text) // for whoever ends the demo to tell, once
		return
	}
	var l logLine
	if json.Unmarshal(text, &l) != nil {
		l = logLine{Level: "error", Msg: string(text)} // a panic, for example
	}
	switch l.Event {
	case "duplicate":
		w.counts.skipped++
	case "released":
		if l.Ran {
			w.counts.failed++
		}
	case "in_progress":
		w.counts.busy++
	}
	if l.Level != "info" && l.Level != "debug" && !l.expected() {
		w.last = strings.TrimSuffix(l.Msg+": "+l.Err, ": ")
	}
	at, err := zapcore.ParseLevel(l.Level)
	if err != nil || at < w.from {
		return
	}
	if w.from > zapcore.InfoLevel {
		if l.expected() {
			return
		}
		if w.shown++; w.shown > mostShown {
			return
		}
	}
	fmt.Fprintf(w.to, "%s\n", text)
}

// expected tells whether the demo itself is to blame for what the line says. A
// record that failed for another reason has a line of another event besides.
func (l logLine) expected() bool {
	return l.Event == "failed" || l.Event == "released" || l.Event == "completion_lost" ||
		strings.HasPrefix(l.Msg, `{"errorMessage":"lambdasource:`) || strings.HasSuffix(l.Msg, "context canceled")
}

// count returns the counts so far.
func (w *workerLog) count() workerCounts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// mistake returns what a process said when it refused its settings.
func (w *workerLog) mistake() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refusal
}

// lastWords returns what was wrong last, in the worker's words.
func (w *workerLog) lastWords() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
