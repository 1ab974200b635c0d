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
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
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
	root   string
	out    string
	json   string
	worker string
	kills  int
	seed   uint64
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("crash", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&s.root, "root", "..", "the root of the repository")
	fs.StringVar(&s.out, "o", "", "also write the table to this file; it need not exist")
	fs.StringVar(&s.json, "json", "", "write the figures to this file")
	fs.StringVar(&s.worker, "worker", "", "the compiled example worker; built when empty")
	fs.IntVar(&s.kills, "kills", 20, "how often to kill, over all ways and stores")
	fs.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "draws points and times; that of the clock when not given")
	err := fs.Parse(args)
	if err == nil && (fs.NArg() > 0 || s.kills < 1) {
		err = errors.New("crash: unknown argument, or fewer than one kill")
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
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	err = crash(ctx, s, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "crash: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "crash:", err)
		return exitFailed
	}
	return 0
}

// crash kills workers in every way on every store.
func crash(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if s.worker == "" {
		s.worker = filepath.Join(dir, "example-worker")
		if err := build(ctx, s.root, s.worker); err != nil {
			return err
		}
	}
	began := time.Now()
	var results []result
	var failures []error
	for i, w := range []way{viaPoll, viaLambda} {
		for k, kind := range []string{onBolt, onDynamoDB} {
			n := i*2 + k
			kills := (s.kills + 3 - n) / 4 // together as many as asked for
			if kills == 0 {
				continue
			}
			b, err := newBed(ctx, bedOptions{
				way: w, store: kind, worker: s.worker, seed: s.seed + uint64(n), dir: filepath.Join(dir, fmt.Sprint(n)),
			})
			if err != nil {
				return err
			}
			r, err := b.torment(ctx, kills)
			err = errors.Join(err, b.close(ctx))
			if ctx.Err() != nil {
				return err
			}
			fmt.Fprintf(stderr, "%s on %s: %d kills, %d orders, %d doubled, %d faults in %.0f s\n",
				w, kind, r.kills, r.orders, r.doubled, len(r.faults), r.took.Seconds())
			for _, f := range r.faults {
				failures = append(failures, fmt.Errorf("%s on %s: %s", w, kind, f))
			}
			if err != nil {
				failures = append(failures, fmt.Errorf("%s on %s: %w", w, kind, err))
			}
			results = append(results, r)
		}
	}
	table := report(results, s.seed, time.Since(began))
	fmt.Fprint(stdout, table)
	if s.out != "" {
		failures = append(failures, os.MkdirAll(filepath.Dir(s.out), 0o755), os.WriteFile(s.out, []byte(table), 0o600))
	}
	if s.json != "" {
		failures = append(failures, figures.Write(s.json, counted(results, s.seed)))
	}
	return errors.Join(failures...)
}

// buildTime bounds the build on a machine that has other things to do.
const buildTime = 10 * time.Minute

func build(ctx context.Context, root, out string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "./cmd/example-worker")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=off")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the worker: %w\n%s", err, b)
	}
	return nil
}
