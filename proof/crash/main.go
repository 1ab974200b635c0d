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
	"github.com/onlyonce-go/onlyonce/proof/figures"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags.
type settings struct {
	root   string
	out    string
	json   string
	worker string
	kills  int
	seed   uint64
}

// Declare implements [command.Settings].
func (s *settings) Declare(fs *flag.FlagSet) {
	fs.StringVar(&s.root, "root", "..", "the root of the repository")
	fs.StringVar(&s.out, "o", "", "also write the table to this file; it need not exist")
	fs.StringVar(&s.json, "json", "", "write the figures to this file")
	fs.StringVar(&s.worker, "worker", "", "the compiled example worker; built when empty")
	fs.IntVar(&s.kills, "kills", 20, "how often to kill, over all ways and stores")
	fs.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "draws points and times; that of the clock when not given")
}

// Check implements [command.Settings].
func (s *settings) Check() error {
	if s.kills < 1 {
		return errors.New("fewer than one kill")
	}
	return nil
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	return command.Run(ctx, "crash", args, &s, stderr, func(ctx context.Context) error { return crash(ctx, s, stdout, stderr) })
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
	fmt.Fprintf(stderr, "seed %d\n", s.seed)
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
			r := tormented(ctx, bedOptions{
				way: w, store: kind, worker: s.worker, seed: s.seed + uint64(n), dir: filepath.Join(dir, fmt.Sprint(n)),
			}, kills)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.store = whose(kind)
			fmt.Fprintf(stderr, "%s on %s: %d kills, %d orders, %d doubled, %d faults in %.0f s\n",
				w, r.store, r.kills, r.orders, r.doubled, len(r.faults), r.took.Seconds())
			for _, f := range r.faults {
				failures = append(failures, fmt.Errorf("%s on %s: %s", w, r.store, f))
			}
			if r.err != nil {
				failures = append(failures, fmt.Errorf("%s on %s: %w", w, r.store, r.err))
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

// tormented makes a bed and torments it.
func tormented(ctx context.Context, o bedOptions, kills int) result {
	b, err := newBed(ctx, o)
	if err != nil {
		return result{way: o.way, store: o.store, err: err}
	}
	r := b.torment(ctx, kills)
	r.err = errors.Join(r.err, b.close(ctx))
	return r
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
