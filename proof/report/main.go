package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags.
type settings struct {
	root  string
	json  string
	only  string
	quick bool
	hours float64
	write bool
}

// Declare implements [command.Settings].
func (s *settings) Declare(fs *flag.FlagSet) {
	fs.StringVar(&s.root, "root", ".", "the `folder` of the repository")
	fs.StringVar(&s.json, "json", "", "also write the figures to this `file`")
	fs.StringVar(&s.only, "only", "", "run only the parts with these `names`, separated by commas")
	fs.BoolVar(&s.quick, "quick", false, "run a little of everything")
	fs.Float64Var(&s.hours, "hours", 0, "run for about so many `hours`")
	fs.BoolVar(&s.write, "write", false, "write RELIABILITY.md also when only a little or some parts are run")
}

// Check implements [command.Settings].
func (s *settings) Check() error {
	if s.hours < 0 || s.quick && s.hours > 0 {
		return errors.New("negative hours, or both -quick and -hours")
	}
	return nil
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	return command.Run(ctx, "report", args, &s, stderr, func(ctx context.Context) error { return prove(ctx, s, stdout, stderr) })
}

// document is what the figures are written into.
const document = "RELIABILITY.md"

// errNotHeld is the failure that the program is made to find.
var errNotHeld = errors.New("not everything held")

// prove runs the parts and tells what came of them. When it is interrupted, it
// tells of those that were run, but not in the document.
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
	if err := forget(s.json); err != nil {
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
		show.end(result.State, result.took())
		r.Parts = append(r.Parts, result)
	}
	r.Measured.Seconds = time.Since(r.Measured.began).Seconds()
	fmt.Fprint(stdout, r.text())
	if err := r.save(s.json); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !write:
		fmt.Fprintf(stderr, "this was not the whole proof: %s is left as it is\n", document)
	default:
		if err := rewrite(doc, r.markdown()); err != nil {
			return err
		}
	}
	if !r.held() {
		return errNotHeld
	}
	return nil
}

// forget removes figures of an earlier run, which are none of this one.
func forget(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
