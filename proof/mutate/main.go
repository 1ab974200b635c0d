package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/command"
	"github.com/onlyonce-go/onlyonce/proof/figures"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags.
type settings struct {
	root  string
	out   string
	json  string
	only  string
	n     int
	limit time.Duration
}

// Declare implements [command.Settings].
func (s *settings) Declare(fs *flag.FlagSet) {
	fs.StringVar(&s.root, "root", "..", "the root of the repository")
	fs.StringVar(&s.out, "o", "", "also write the table to this file; it need not exist")
	fs.StringVar(&s.json, "json", "", "write the figures to this file")
	fs.StringVar(&s.only, "only", "", "take only the defects whose name contains this")
	fs.IntVar(&s.n, "n", 0, "take only so many, the cheapest of each area first; 0 takes all")
	fs.DurationVar(&s.limit, "limit", 2*time.Minute, "the longest that one check may take")
}

// Check implements [command.Settings].
func (s *settings) Check() error {
	if s.n < 0 || s.limit <= 0 {
		return errors.New("negative number, or no time")
	}
	return nil
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	return command.Run(ctx, "mutate", args, &s, stderr, func(ctx context.Context) error { return mutate(ctx, s, stdout, stderr) })
}

// errSurvived is the failure that the program is made to find.
var errSurvived = errors.New("no check caught the defect")

// mutate tries the defects and tells what caught each.
func mutate(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	all := defects()
	for i := range all { // all of them, also those that are not tried
		if _, err := all[i].apply(s.root); err != nil {
			return err
		}
	}
	chosen := choose(all, s.only, s.n)
	if len(chosen) == 0 {
		return fmt.Errorf("no defect's name contains %q", s.only)
	}
	b, err := newBench(s.root, s.limit)
	if err != nil {
		return err
	}
	defer b.remove()
	began := time.Now()
	var results []result
	var failures []error
	for i := range chosen {
		r, err := b.try(ctx, &chosen[i])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the others are tried all the same
			failures = append(failures, err)
			fmt.Fprintf(stderr, "%2d/%d %v\n", i+1, len(chosen), err)
			continue
		}
		fmt.Fprintf(stderr, "%2d/%d %s\n", i+1, len(chosen), r)
		results = append(results, r)
		if r.by == "" {
			failures = append(failures, fmt.Errorf("%w: %s", errSurvived, r.defect.name))
		}
	}
	table := report(results, time.Since(began))
	fmt.Fprint(stdout, table)
	if s.out != "" {
		if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(s.out, []byte(table), 0o644); err != nil {
			return err
		}
	}
	if s.json != "" {
		failures = append(failures, figures.Write(s.json, counted(results)))
	}
	return errors.Join(failures...)
}

// choose returns the defects that are asked for. Of n it takes the first of
// each area, then the second of each, and so on.
func choose(all []defect, only string, n int) []defect {
	all = slices.DeleteFunc(all, func(d defect) bool { return !strings.Contains(d.name, only) })
	if n == 0 || n >= len(all) {
		return all
	}
	var areas []string
	of := map[string][]defect{}
	for _, d := range all {
		if of[d.area] == nil {
			areas = append(areas, d.area)
		}
		of[d.area] = append(of[d.area], d)
	}
	var chosen []defect
	for round := 0; len(chosen) < n; round++ {
		for _, a := range areas {
			if round < len(of[a]) && len(chosen) < n {
				chosen = append(chosen, of[a][round])
			}
		}
	}
	return chosen
}
