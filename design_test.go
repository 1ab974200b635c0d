package onlyonce_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every test, example and file that DESIGN.md names exists: the table of rules does not outlive its evidence.
func TestDesignNamesWhatExists(t *testing.T) {
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
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
	for _, name := range regexp.MustCompile(`\b(?:Test|Example|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(design), -1) {
		if !known[name] {
			t.Errorf("DESIGN.md names %s, which no test file has", name)
		}
	}
	for _, path := range regexp.MustCompile(`\b[a-z]+/[a-z_/]+\.go\b`).FindAllString(string(design), -1) {
		if !files[path] && !strings.HasPrefix(path, "github") {
			t.Errorf("DESIGN.md names the file %s, which is not there", path)
		}
	}
}
