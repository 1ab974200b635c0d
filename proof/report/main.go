package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells tell of a program that SIGINT ended
)

// settings are the flags.
type settings struct {
	root  string
	json  string
	only  string
	quick bool
	hours float64
	write bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("report", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&s.root, "root", ".", "the `folder` of the repository")
	fs.StringVar(&s.json, "json", "", "also write the figures to this `file`")
	fs.StringVar(&s.only, "only", "", "run only the parts with these `names`, separated by commas")
	fs.BoolVar(&s.quick, "quick", false, "run a little of everything")
	fs.Float64Var(&s.hours, "hours", 0, "run for about so many `hours`")
	fs.BoolVar(&s.write, "write", false, "write RELIABILITY.md also when only a little or some parts are run")
	err := fs.Parse(args)
	if err == nil && (fs.NArg() > 0 || s.hours < 0 || s.quick && s.hours > 0) {
		err = errors.New("report: unknown argument, negative hours, or both -quick and -hours")
		fmt.Fprintln(stderr, err)
	}
	return s, err
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = prove(ctx, s, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "report: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "report:", err)
		return exitFailed
	}
	return 0
}

// document is what the figures are written into.
const document = "RELIABILITY.md"

// errNotHeld is the failure that the program is made to find.
var errNotHeld = errors.New("not everything held")

// prove runs the parts and tells what came of them.
func prove(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	parts, err := choose(parts(s), s.only)
	if err != nil {
		return err
	}
	doc := filepath.Join(s.root, document)
	write := s.write || !s.quick && s.only == ""
	if write { // before the work of minutes
		if _, err := place(doc, ""); err != nil {
			return err
		}
	}
	if err := missing(exec.LookPath, parts, stderr); err != nil {
		return err
	}
	r := report{Measured: measured(ctx, s)}
	w := workshop{root: s.root, logs: filepath.Join(s.root, "dist", "proof"), grace: grace}
	if err := os.MkdirAll(w.logs, 0o755); err != nil {
		return err
	}
	show := newProgress(stderr, len(parts))
	for i := range parts {
		show.begin(parts[i].title)
		result := w.run(ctx, &parts[i])
		if ctx.Err() != nil {
			show.end("interrupted", result.took())
			return ctx.Err()
		}
		show.end(result.State, result.took())
		r.Parts = append(r.Parts, result)
	}
	r.Measured.Seconds = time.Since(r.Measured.began).Seconds()
	fmt.Fprint(stdout, r.text())
	if err := r.save(s.json); err != nil {
		return err
	}
	if !write {
		fmt.Fprintf(stderr, "this was not the whole proof: %s is left as it is\n", document)
	} else if err := rewrite(doc, r.markdown()); err != nil {
		return err
	}
	if !r.held() {
		return errNotHeld
	}
	return nil
}
