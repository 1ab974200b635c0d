package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func noEnv(string) string { return "" }

// Away from a terminal there is a line for each tenth of the way and one for
// the crash, and no control characters.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 1000, viaLambda, noEnv)
	for n := range 1001 {
		s := status{totals: totals{effects: n}}
		if n > 400 {
			s.crashes = 1
		}
		p.update(s, time.Second)
	}
	p.end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 12 || strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("got %d lines, want a head, ten tenths and the crash, plain: %q", len(lines), out.String())
	}
}

// The bar is drawn in place and fits 80 columns with large numbers; NO_COLOR
// takes its colors.
func TestProgressBar(t *testing.T) {
	control := regexp.MustCompile(`\x1b\[[0-9;]*[mK]`)
	for _, color := range []bool{true, false} {
		var out bytes.Buffer
		p := newProgress(&out, 1_000_000, viaLambda, noEnv)
		p.bar, p.color = true, color
		big := totals{effects: 1_000_000}
		p.update(status{totals: big, worker: workerCounts{skipped: 1_000_000, failed: 100_000}, crashes: 1}, 99999*time.Second)
		p.end()
		text := out.String()
		if strings.Contains(text, "\x1b[3") != color {
			t.Errorf("got %q, want color %v", text, color)
		}
		if !strings.Contains(text, clearLine+"[") || !strings.HasSuffix(text, clearLine) {
			t.Errorf("got %q, want a bar that is drawn in place and removed", text)
		}
		for _, line := range regexp.MustCompile(`[\r\n]`).Split(control.ReplaceAllString(text, ""), -1) {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("got a line of %d columns: %q", n, line)
			}
		}
	}
}

// What there is none or one of reads well.
func TestTableWords(t *testing.T) {
	for _, c := range []struct {
		n    int
		want []string
	}{
		{0, []string{"of 0 orders", "batch responses lost             0\n", "0 answers lost", "workers killed                   0\n"}},
		{1, []string{"of 1 order\n", "1  the whole batch came again", "1 answer lost\n", "1 for a lost answer,", "1 call with", "The order took effect"}},
		{2, []string{"of 2 orders", "2  each time the whole batch", "2 answers lost", "2 for lost answers", "2 calls with", "All 2 orders"}},
	} {
		s := status{totals: totals{effects: c.n, cut: c.n, afterCut: c.n, stale: c.n}, dropped: c.n, crashes: c.n}
		var out bytes.Buffer
		result{Messages: c.n, status: s}.print(&out, settings{})
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d: %q is not in %s", c.n, want, out.String())
			}
		}
	}
	if got, want := (result{Messages: 1, Lost: 1}).verdict(), "FAILED: of 1 order 1 was lost and 0 took effect more than once."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The table fits 80 columns.
func TestTableFits(t *testing.T) {
	s := status{totals: totals{effects: 100_000, refused: 5000, cut: 2500, afterCut: 2500, afterCrash: 30}, crashes: 1}
	for _, doubled := range []int{0, 99} {
		r := result{Messages: 100_000, Deliveries: 130_000, Effects: 100_000, Skipped: 19_000, Failures: 7500, Doubled: doubled, Seconds: 61.2, status: s}
		var out bytes.Buffer
		r.print(&out, settings{key: key{text: "id"}})
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("got a line of %d columns: %q", n, line)
			}
		}
	}
}
