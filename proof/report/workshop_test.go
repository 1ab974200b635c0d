package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bench returns a workshop whose Makefile has these goals.
func bench(t *testing.T, makefile string) workshop {
	t.Helper()
	needMake(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o600); err != nil {
		t.Fatal(err)
	}
	return workshop{root: dir, logs: dir, grace: time.Minute}
}

func needMake(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
}

// lines is a reader of a part that tells a row a line, each of one try but for
// "idle".
func lines(out output) (rows []row, err error) {
	for line := range strings.Lines(string(out.figures)) {
		what := strings.TrimSpace(line)
		r := row{What: what, Times: 1, Failed: what == "bad"}
		if what == "idle" {
			r.Times = 0
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// A part holds when its goal ends well and its figures are there, new, and
// good; else it tells why not.
func TestPart(t *testing.T) {
	w := bench(t, `
good: ; @echo one > $(FIGURES)
odd: ; @echo one > $(FIGURES); echo 'SKIP bash -c x: ministack did not start'; echo '    --- SKIP: TestA (0.00s)'
idle: ; @echo one > $(FIGURES); echo idle >> $(FIGURES)
lying: ; @echo bad > $(FIGURES)
failing: ; @echo one > $(FIGURES); echo why; exit 3
silent: ; @:
empty: ; @: > $(FIGURES)
hanging: ; @:
`)
	figures := filepath.Join(w.root, "figures")
	if err := os.WriteFile(figures, []byte("of an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		goal, state, reason, leftOut string
		limit                        time.Duration
		rows                         int
	}{
		{goal: "silent", state: failed, reason: "no figures: open " + figures + ": no such file or directory"},
		{goal: "empty", state: failed, reason: "no figures: it told no figures"},
		{goal: "good", state: held, rows: 1},
		{goal: "odd", state: heldInPart, rows: 1, leftOut: "ministack did not start; TestA (0.00s)"},
		{goal: "idle", state: heldInPart, rows: 2, leftOut: "not tried: idle"},
		{goal: "lying", state: failed, rows: 1, reason: "see its rows"},
		{goal: "failing", state: failed, rows: 1, reason: "exit status 2: see dist/proof/p.log"},
		{goal: "hanging", state: failed, reason: "it took longer than 1ns: see dist/proof/p.log", limit: 1},
	} {
		limit := c.limit
		if limit == 0 {
			limit = time.Hour
		}
		p := part{name: "p", title: "t", goal: []string{c.goal, "FIGURES=" + figures}, figures: figures, limit: limit, read: lines}
		r := w.run(t.Context(), &p)
		if r.State != c.state || r.Reason != c.reason || len(r.Rows) != c.rows || strings.Join(r.LeftOut, "; ") != c.leftOut {
			t.Errorf("%s: got %+v, want %+v", c.goal, r, c)
		}
	}
	log, err := os.ReadFile(filepath.Join(w.logs, "p.log"))
	if err != nil || !bytes.HasPrefix(log, []byte("$ make hanging FIGURES=")) {
		t.Errorf("the log is %q, %v", log, err)
	}
}

// What a make that runs this program was told, its goals are not told.
func TestSettingsOfMake(t *testing.T) {
	t.Setenv("MAKEFLAGS", "N=5")
	w := bench(t, "N ?= 7\nn: ; @echo $(N) > $(FIGURES)\n")
	figures := filepath.Join(w.root, "figures")
	p := part{name: "p", goal: []string{"n", "FIGURES=" + figures}, figures: figures, limit: time.Hour, read: lines}
	if r := w.run(t.Context(), &p); r.State != held || r.Rows[0].What != "7" {
		t.Errorf("got %+v, want 7", r)
	}
}

// A run that is interrupted ends everything that its part has started, also
// what does not listen.
func TestInterrupted(t *testing.T) {
	d := newDeaf(t)
	d.w.grace = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := d.run(ctx)
	d.hears(t, "here\n")
	cancel()
	if r := <-ended; r.State != notRun || r.Reason != "interrupted" {
		t.Errorf("got %+v, want an interruption", r)
	}
	d.isDead(t)
	if r := d.w.run(ctx, &d.p); r.State != notRun || r.Reason != "interrupted" {
		t.Errorf("got %+v of a part after an interruption, want none", r)
	}
}

// Whoever cannot wait until all has ended interrupts once more.
func TestInterruptedTwice(t *testing.T) {
	d := newDeaf(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := d.run(ctx)
	d.hears(t, "here\n")
	cancel()
	d.hears(t, "told\n")
	if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(os.Interrupt) != nil {
		t.Fatal("no signal can be sent")
	}
	<-ended // long before the grace is over
	d.isDead(t)
}

// deaf is a part that does not end when it is told to. While something of it
// lives, the pipe is open.
type deaf struct {
	w    workshop
	p    part
	pipe string
	f    *os.File
}

func newDeaf(t *testing.T) *deaf {
	t.Helper()
	w := bench(t, `
SHELL := bash
deaf: ; @exec 9> alive; trap "echo told >&9" INT; (trap "" INT; read never <> never) & echo here >&9; while :; do wait; done
`)
	w.grace = time.Hour
	d := &deaf{w: w, p: part{name: "p", goal: []string{"deaf"}, limit: time.Hour, read: lines}, pipe: filepath.Join(w.root, "alive")}
	for _, name := range []string{d.pipe, filepath.Join(w.root, "never")} {
		if err := makeFIFO(name); err != nil {
			t.Skip(err)
		}
	}
	return d
}

// run runs the part until ctx ends.
func (d *deaf) run(ctx context.Context) <-chan result {
	ended := make(chan result, 1)
	go func() { ended <- d.w.run(ctx, &d.p) }()
	return ended
}

// hears waits for a line of the part.
func (d *deaf) hears(t *testing.T, line string) {
	t.Helper()
	if d.f == nil {
		f, err := os.Open(d.pipe)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := f.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		d.f = f
	}
	got := make([]byte, len(line))
	if _, err := io.ReadFull(d.f, got); err != nil || string(got) != line {
		t.Fatalf("got %q, %v, want %q", got, err, line)
	}
}

// isDead fails the test when something of the part is alive.
func (d *deaf) isDead(t *testing.T) {
	t.Helper()
	if _, err := io.ReadAll(d.f); err != nil {
		t.Errorf("something that the part has started is alive: %v", err)
	}
}

// Programs that are missing are named with what follows, and the parts that
// need them are not run; without make nothing is.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name, missing string
		told, err     string
		cannot        string
	}{
		{"none", "", "", "", ""},
		{"installed", "spin", "missing: spin; as root apt-get installs it\n", "", ""},
		{"cannot be run", "spin apt-get", "missing: spin; spin is not run\n", "", "spin"},
		{"left out", "python3", "missing: python3; the DynamoDB of ministack is left out\n", "", ""},
		{"nothing", "go make", "", "missing: go, make", ""},
	} {
		look := func(name string) (string, error) {
			if strings.Contains(" "+c.missing+" ", " "+name+" ") {
				return "", errors.New("not found")
			}
			return name, nil
		}
		all := parts(settings{})
		var stderr strings.Builder
		err := missing(look, all, &stderr)
		var cannot []string
		for i := range all {
			if len(all[i].cannot) > 0 {
				cannot = append(cannot, all[i].name)
				if r := (workshop{}).run(t.Context(), &all[i]); r.State != notRun || r.Reason != "missing: spin" {
					t.Errorf("%s: got %+v, want that it was not run", c.name, r)
				}
			}
		}
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err || stderr.String() != c.told || strings.Join(cannot, " ") != c.cannot {
			t.Errorf("%s: got %v, %q, not run %v; want %q, %q, %q", c.name, err, stderr.String(), cannot, c.err, c.told, c.cannot)
		}
	}
}
