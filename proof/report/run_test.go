package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goals are a Makefile whose parts tell a figure each.
const goals = `
model: ; @echo '=== ATTR  TestProperties/a figures {"model":"a","states":$(FAULTS)}'
spin: ; @echo '{"mistake":"a","found":true}' > $(FIGURES)
sim: ; @echo '{"schedules":$(N)}' > $(patsubst -stats=%,%,$(SIMFLAGS))
linearizability: ; @echo '=== ATTR  TestMemory figures {"store":"memory","histories":$(ROUNDS)}'
crash: ; @echo '{"beds":[{"worker":"poll","store":"bbolt","kills":[{"point":"at random","kills":$(KILLS)}]}]}' > $(FIGURES)
damage: ; @echo '=== ATTR  TestCrash figures {"tried":1}'
mutations: ; @echo '[{"area":"guard","test":"TestA","package":"dedupe"}]' > $(FIGURES)
fuzz: ; @echo '[{"target":"sources.FuzzA","execs":7}]' > dist/fuzz.json
`

// The whole proof writes its figures into the document and into JSON; a little
// of it leaves the document alone unless it is told otherwise; a part that
// fails does not keep the others from running.
func TestRun(t *testing.T) {
	needMake(t)
	const before, after = "# Reliability\n\n", "\nThe end.\n"
	for _, c := range []struct {
		name  string
		args  string
		goals string
		code  int
		wrote string // in the document; empty when it is as it was
		says  string // on stderr
	}{
		{"whole", "", goals, 0, "| the example worker killed with SIGKILL | crashes | 200 |", "[3/8] simulation: 2,000 schedules ... held, "},
		{"long", "-hours 4", goals, 0, "| simulation | 100,000 |", "Spin: 2 faults"},
		{"quick", "-quick", goals, 0, "", "RELIABILITY.md is left as it is\n"},
		{"quick and written", "-quick -write", goals, 0, "Measured by `make proof QUICK=1`", ""},
		{"some", "-only crash,sim", goals, 0, "", "[2/2] simulation: 2,000 schedules ... held, "},
		{"unknown", "-only crush", goals, exitFailed, "", `there is no part "crush"`},
		{"one fails", "", strings.Replace(goals, "sim: ; @", "sim: ; @false &&", 1), exitFailed,
			"| simulation: 2,000 schedules | **FAILED**; exit status 2: see dist/proof/sim.log |", "[8/8] hostile input: every fuzz target for 3s ... held, "},
		{"wrong flags", "-quick -hours 1", goals, exitUsage, "", "both -quick and -hours"},
		{"help", "-help", goals, 0, "", "-only"},
	} {
		root := t.TempDir()
		doc, figures := filepath.Join(root, document), filepath.Join(root, "proof.json")
		old := before + beginMark + "none yet\n" + endMark + after
		for name, text := range map[string]string{doc: old, filepath.Join(root, "Makefile"): c.goals} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr strings.Builder
		code := run(t.Context(), append([]string{"-root", root, "-json", figures}, strings.Fields(c.args)...), &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: got exit code %d and\n%swant %d and %q", c.name, code, stderr.String(), c.code, c.says)
		}
		text, err := os.ReadFile(doc)
		got := string(text)
		switch {
		case err != nil:
			t.Fatal(err)
		case c.wrote == "" && got != old:
			t.Errorf("%s: wrote\n%s", c.name, got)
		case !strings.Contains(got, c.wrote), !strings.HasPrefix(got, before+beginMark), !strings.HasSuffix(got, endMark+after):
			t.Errorf("%s: wrote\n%swant %q between the marks", c.name, got, c.wrote)
		}
		if c.wrote == "" {
			continue
		}
		var r report
		b, err := os.ReadFile(figures)
		if err != nil || json.Unmarshal(b, &r) != nil || len(r.Parts) != 8 {
			t.Errorf("%s: the JSON is %s, %v", c.name, b, err)
		}
		if !strings.Contains(stdout.String(), "at an unknown commit on 20") || !strings.Contains(stdout.String(), "Hostile input\n") {
			t.Errorf("%s: printed\n%s", c.name, stdout.String())
		}
	}
}

// A document that has no place for the figures is refused before anything is
// run.
func TestDocumentWithoutMarks(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{document: "# Reliability\n", "Makefile": goals} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"-root", root}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "the marks of the figures") || strings.Contains(stderr.String(), "[1/8]") {
		t.Errorf("got exit code %d and\n%s", code, stderr.String())
	}
}
