package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// measurement says where and when the figures were taken.
type measurement struct {
	Go      string  `json:"go"`
	OS      string  `json:"os"`
	Cores   int     `json:"cores"`
	Commit  string  `json:"commit"`
	Date    string  `json:"date"`
	Seconds float64 `json:"seconds"`
	How     string  `json:"how"` // the command

	began time.Time
}

func measured(ctx context.Context, s settings) measurement {
	now := time.Now()
	m := measurement{
		Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Commit: commit(ctx, s.root), Date: now.Format(time.DateOnly), How: "make proof", began: now,
	}
	switch {
	case s.quick:
		m.How = "make proof QUICK=1"
	case s.hours > 0:
		m.How = fmt.Sprintf("make proof-long HOURS=%g", s.hours)
	}
	if s.only != "" {
		m.How += fmt.Sprintf(" PROOFFLAGS='-only %s'", s.only)
	}
	return m
}

// String says it in a sentence.
func (m measurement) String() string {
	return fmt.Sprintf("Measured by %s in %s with %s on %s, %d cores, at %s on %s.",
		"`"+m.How+"`", time.Duration(m.Seconds*float64(time.Second)).Round(time.Second), m.Go, m.OS, m.Cores, m.Commit, m.Date)
}

// commit says which one the working tree is at, and whether it is changed but
// for what the proof writes into it.
func commit(ctx context.Context, root string) string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	hash, err := git("rev-parse", "--short", "HEAD")
	if err != nil {
		return "an unknown commit"
	}
	changes, err := git("status", "--porcelain", "--", ".", ":!"+document, ":!proof/mutations.md")
	if err != nil || changes != "" {
		return "commit " + hash + " with changes"
	}
	return "commit " + hash
}
