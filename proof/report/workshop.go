package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// workshop is where parts are run.
type workshop struct {
	root  string
	logs  string        // a folder that is there
	grace time.Duration // that a part has to end when it is told to
}

const grace = 20 * time.Second

// The states of a part.
const (
	held       = "held"
	heldInPart = "held in part"
	failed     = "FAILED"
	notRun     = "NOT RUN"
)

// result is what came of a part.
type result struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	State   string   `json:"state"`
	Reason  string   `json:"reason,omitempty"`   // why it failed or was not run
	LeftOut []string `json:"left_out,omitempty"` // and why
	Seconds float64  `json:"seconds"`
	Rows    []row    `json:"rows"`
}

func (r *result) took() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// run runs a part and reads its figures. When it returns, everything in the
// process group of the part has been killed, where there are such groups.
func (w workshop) run(ctx context.Context, p *part) result {
	r := result{Name: p.name, Title: p.title, State: held}
	if len(p.cannot) > 0 {
		r.State, r.Reason = notRun, "missing: "+strings.Join(p.cannot, ", ")
		return r
	}
	log := filepath.Join(w.logs, p.name+".log")
	began := time.Now()
	err := w.play(ctx, p, log)
	r.Seconds = time.Since(began).Seconds()
	if ctx.Err() != nil {
		r.State, r.Reason = notRun, "interrupted"
		return r
	}
	out, readErr := w.collect(p, log)
	out.held = err == nil
	if readErr == nil {
		r.Rows, readErr = p.read(out)
	}
	if readErr == nil && len(r.Rows) == 0 {
		readErr = errors.New("it told no figures")
	}
	r.LeftOut = append(leftOut(out.log), notTried(r.Rows)...)
	switch {
	case err != nil: // whatever its figures say, and though it has none
		r.State, r.Reason = failed, fmt.Sprintf("%v: see dist/proof/%s.log", err, p.name)
	case readErr != nil:
		r.State, r.Reason = failed, fmt.Sprintf("no figures: %v", readErr)
	case slices.ContainsFunc(r.Rows, func(row row) bool { return row.Failed }):
		r.State, r.Reason = failed, "see its rows"
	case len(r.LeftOut) > 0:
		r.State = heldInPart
	}
	return r
}

// play runs the part's goal of make.
func (w workshop) play(ctx context.Context, p *part, log string) (err error) {
	if err := forget(p.figures); err != nil {
		return err
	}
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fmt.Fprintf(f, "$ make %s\n", strings.Join(p.goal, " "))
	cause := fmt.Errorf("it took longer than %s", p.limit)
	ctx, cancel := context.WithTimeoutCause(ctx, p.limit, cause)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory", "-C", w.root}, p.goal...)...)
	cmd.Stdout, cmd.Stderr = f, f // a file: nobody who keeps it open is waited for
	cmd.Env = slices.DeleteFunc(os.Environ(), ofMake)
	cmd.WaitDelay = w.grace
	asGroup(cmd)
	ended := hurried(cmd)
	err = cmd.Run()
	ended()
	if cmd.Process != nil {
		endGroup(cmd)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ofMake reports whether a variable of the environment is how a make that runs
// this program tells its children of its own settings.
func ofMake(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "MAKEFLAGS" || name == "MFLAGS" || name == "MAKELEVEL" || name == "MAKEOVERRIDES"
}

// output is what a part left behind.
type output struct {
	log     string
	figures []byte // of its file, if it has one
	held    bool
}

func (w workshop) collect(p *part, log string) (out output, err error) {
	text, err := os.ReadFile(log)
	if err != nil {
		return out, err
	}
	out.log = string(text)
	if p.figures != "" {
		out.figures, err = os.ReadFile(p.figures)
	}
	return out, err
}

var skipped = regexp.MustCompile(`(?m)^[ \t]*(?:--- )?SKIP:? (?:.*: )?(.*)$`)

// leftOut returns what the log says was skipped, or why.
func leftOut(log string) (all []string) {
	for _, m := range skipped.FindAllStringSubmatch(log, -1) {
		all = append(all, m[1])
	}
	return all
}
