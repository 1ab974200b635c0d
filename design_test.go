package onlyonce_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every test, example and file that DESIGN.md and RELIABILITY.md name exists: the tables of rules and of what was mended do not
// outlive their evidence.
func TestDesignNamesWhatExists(t *testing.T) {
	known := map[string]bool{}
	files := map[string]bool{}
	for _, f := range sourceFiles(t) {
		files[f.path] = true
		if !f.test {
			continue
		}
		src, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Example|Fuzz|Benchmark)\w+)\(`).FindAllSubmatch(src, -1) {
			known[string(m[1])] = true
		}
	}
	for _, doc := range []string{"DESIGN.md", "RELIABILITY.md"} {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(?:Test|Example|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(text), -1) {
			if !known[name] {
				t.Errorf("%s names %s, which no test file has", doc, name)
			}
		}
		for _, path := range regexp.MustCompile(`\b[a-z]+/[a-z_/]+\.go\b`).FindAllString(string(text), -1) {
			if !files[path] && !strings.HasPrefix(path, "github") {
				t.Errorf("%s names the file %s, which is not there", doc, path)
			}
		}
	}
}

// RELIABILITY.md has the place into which make proof writes its figures, and figures in it of a proof in which nothing failed.
func TestReliabilityIsMeasured(t *testing.T) {
	text, err := os.ReadFile("RELIABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(text), "\n<!-- figures: begin (written by make proof) -->\n")
	figures, _, ends := strings.Cut(rest, "<!-- figures: end -->\n")
	switch {
	case !begins || !ends:
		t.Error("RELIABILITY.md does not have the marks of its figures")
	case !strings.HasPrefix(figures, "Measured by `make proof"):
		t.Error("RELIABILITY.md has no figures: make proof")
	case strings.Contains(figures, "FAILED") || strings.Contains(figures, "NOT RUN"):
		t.Error("RELIABILITY.md has the figures of a proof that failed")
	}
}
