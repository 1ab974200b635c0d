// Command testreport reads the output of go test -json and prints what a person wants to see of it: the closing line of
// every package, the whole output of what failed, every skipped test with its reason, and the counts.
//
// Plain go test hides skipped tests, and with -v it buries them. A skip is a promise that was not checked on this machine,
// so it has to be seen. It exits with status 1 when anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is a line of go test -json (see go doc test2json); a build's output has an ImportPath instead of a Package.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// id names one run of a test; Test is empty for what the package itself prints.
type id struct{ Package, Test string }

type report struct {
	out                     io.Writer
	output                  map[id][]string // of tests that have not ended
	skips                   []string
	passed, failed, skipped int
	broken                  bool // something failed, be it a test, a build or a whole package
}

func main() {
	ok, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// summarize copies in to out, shortened; ok tells that nothing failed.
func summarize(in io.Reader, out io.Writer) (ok bool, err error) {
	r := &report{out: out, output: map[id][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read test output: %w", err)
		}
	}
	for _, skip := range r.skips {
		fmt.Fprintln(out, "SKIP", skip)
	}
	if r.passed+r.failed+r.skipped > 0 {
		fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	}
	return !r.broken, nil
}

func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line) // go itself speaks plain text when it cannot start
		return
	}
	switch e.Action {
	case "output":
		r.write(e)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.broken = true
	case "pass", "fail", "skip":
		r.end(e)
	}
}

// write prints what a package says and keeps what a test says until its end is known.
func (r *report) write(e event) {
	if e.Test != "" {
		if !strings.HasPrefix(e.Output, "=== ") { // RUN, PAUSE, CONT, NAME
			key := id{e.Package, e.Test}
			r.output[key] = append(r.output[key], e.Output)
		}
		return
	}
	if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "-test.shuffle ") {
		fmt.Fprint(r.out, e.Output)
	}
}

func (r *report) end(e event) {
	if e.Test == "" {
		r.endPackage(e)
		return
	}
	key := id{e.Package, e.Test}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.broken = true
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case "skip":
		r.skipped++
		r.skips = append(r.skips, e.Package+" "+e.Test+reason(r.output[key]))
	}
	delete(r.output, key)
}

// endPackage prints what is left of the tests that never ended: a panic or a timeout took the process with them.
func (r *report) endPackage(e event) {
	if e.Action != "fail" {
		return
	}
	r.broken = true
	var left []string
	for key := range r.output {
		if key.Package == e.Package {
			left = append(left, key.Test)
		}
	}
	slices.Sort(left)
	for _, test := range left {
		key := id{e.Package, test}
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
		delete(r.output, key)
	}
}

// reason is what a skipped test said, on one line, without go test's own line after it.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return ": " + strings.Join(said, " ")
}
