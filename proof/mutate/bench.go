package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// bench is where defects are tried.
type bench struct {
	root    string
	dir     string // of the broken files and overlays
	limit   time.Duration
	sound   map[check]bool // checks that have passed without a defect
	failing *regexp.Regexp
	hanging *regexp.Regexp
}

func newBench(root string, limit time.Duration) (*bench, error) {
	root, err := filepath.Abs(root) // overlays know no other
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	return &bench{
		root: root, dir: dir, limit: limit, sound: map[check]bool{},
		failing: regexp.MustCompile(`(?m)^--- FAIL: (\S+)`),
		hanging: regexp.MustCompile(`(?m)^panic: test timed out[\s\S]*?running tests:\s+(\S+)`),
	}, nil
}

func (b *bench) remove() { _ = os.RemoveAll(b.dir) }

// result is what became of one defect.
type result struct {
	defect *defect
	by     string // the test that caught it; empty when it survived
	check  check
	took   time.Duration // of the check that caught it, or of all, building included
}

// String returns the result in a line.
func (r result) String() string {
	if r.by == "" {
		return fmt.Sprintf("%s: SURVIVED", r.defect.name)
	}
	return fmt.Sprintf("%s: caught by %s %s in %.1f s", r.defect.name, r.check.where(), r.by, r.took.Seconds())
}

// try puts d into the code and runs its checks until one fails, which must
// pass without it.
func (b *bench) try(ctx context.Context, d *defect) (result, error) {
	overlay, err := b.overlay(d)
	if err != nil {
		return result{}, err
	}
	r := result{defect: d}
	began := time.Now()
	for _, c := range d.checks {
		by, err := b.test(ctx, c, overlay)
		if err != nil {
			return r, fmt.Errorf("%s: %s: %w", d.name, c, err)
		}
		r.took = time.Since(began)
		if by != "" {
			r.by, r.check = by, c
			return r, b.prove(ctx, c)
		}
	}
	return r, nil
}

// prove makes sure that a check passes without a defect.
func (b *bench) prove(ctx context.Context, c check) error {
	if b.sound[c] {
		return nil
	}
	by, err := b.test(ctx, c, "")
	if err == nil && by != "" {
		err = fmt.Errorf("%s fails without any defect", by)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	b.sound[c] = true
	return nil
}

// overlay writes the broken file and returns the name of the overlay that puts
// it into the place of the sound one.
func (b *bench) overlay(d *defect) (string, error) {
	text, err := d.apply(b.root)
	if err != nil {
		return "", err
	}
	broken := filepath.Join(b.dir, "broken.go")
	replace, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(b.root, d.file): broken},
	})
	name := filepath.Join(b.dir, "overlay.json")
	return name, errors.Join(err, os.WriteFile(broken, text, 0o600), os.WriteFile(name, replace, 0o600))
}

// test runs a check and returns the test that failed, none when all passed. A
// check that hangs has caught something too: its own timeout ends it.
func (b *bench) test(ctx context.Context, c check, overlay string) (failed string, err error) {
	args := []string{"test", "-count=1", "-vet=off", "-failfast", "-timeout", b.limit.String()}
	if c.run != "" {
		args = append(args, "-run", c.run)
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*b.limit+5*time.Minute) // the build is not counted by go test
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, c.pkg)...)
	cmd.Dir = filepath.Join(b.root, c.dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	text := out.String()
	_, exited := errors.AsType[*exec.ExitError](err)
	hung := b.hanging.FindStringSubmatch(text)
	by := b.failing.FindStringSubmatch(text)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil && strings.Contains(text, "[no tests to run]"):
		return "", errors.New("no test has such a name")
	case err == nil:
		return "", nil
	case !exited, strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		return "", fmt.Errorf("%w\n%s", err, text)
	case hung != nil:
		return hung[1] + " (hangs)", nil
	case by != nil:
		return by[1], nil
	case strings.Contains(text, "panic:"), strings.Contains(text, "fatal error:"):
		return "a panic", nil
	}
	return "", fmt.Errorf("%w\n%s", err, text)
}
