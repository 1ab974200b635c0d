package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

// goals are a Makefile whose parts tell a figure each.
const goals = `
tell = @tell() { echo "=== ATTR  $$1 figures $$2"; echo "--- PASS: $$1 (0.00s)"; };
DAMAGED = TestCrash TestPowerFailure TestDiskThatLies TestTruncatedAnywhere TestPageOfGarbage TestGarbageInPages \
	TestPageFromBefore TestTreeThatIsNone TestPagesThatPointAway TestDamagedUnderUse TestFreeListDamagedUnderUse
model:
	$(tell) tell TestProperties '{"model":"a","states":$(FAULTS)}'; tell TestStepMutants '{"found":true}'; tell TestGuardMutants '{"found":true}'
spin: ; @echo '{"mistake":"a","found":true}' > $(FIGURES)
sim: ; @echo '{"schedules":$(N),"kept":1,"histories":1}' > $(patsubst -stats=%,%,$(SIMFLAGS))
linearizability:
	$(tell) for store in TestMemory TestBolt TestDynamoDB/a TestDynamoDBEndpoint; do tell $$store '{"store":"a","histories":$(ROUNDS)}'; done; \
	tell TestBroken '{"found":true}'
crash: ; @[ -z "$(CRASHFLAGS)" ] && echo '{"beds":[{"worker":"poll","store":"bbolt","kills":[{"point":"at random","kills":$(KILLS)}]}]}' > $(FIGURES)
damage: ; $(tell) for test in $(DAMAGED); do tell $$test '{"tried":1}'; done
mutations: ; @echo '[{"area":"guard","test":"TestA","package":"dedupe"}]' > $(FIGURES)
fuzz: ; @[ -z "$(FUZZ)$(FUZZFLAGS)" ] && echo '[{"target":"sources.FuzzA","execs":7}]' > dist/fuzz.json
`

// The whole proof writes its figures into the document and into JSON; a little
// of it leaves the document alone unless it is told otherwise, and says how
// little; a part that fails does not keep the others from running.
func TestRun(t *testing.T) {
	needMake(t)
	for _, name := range []string{"FUZZ", "FUZZFLAGS", "CRASHFLAGS", "KILLS"} { // what it runs does not hang on where it is run
		t.Setenv(name, "7")
	}
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
		{"some, written", "-quick -only model,spin,sim,linearizability,crash,damage,mutations,fuzz -write", goals, 0,
			"Measured by `make proof QUICK=1 PROOFFLAGS='-only model,", ""},
		{"unknown", "-only crush", goals, command.Failed, "", `there is no part "crush"`},
		{"one fails", "", strings.Replace(goals, "sim: ; @", "sim: ; @false &&", 1), command.Failed,
			"| simulation: 2,000 schedules | **FAILED**; exit status 2: see dist/proof/sim.log |", "[8/8] hostile input: every fuzz target for 3s ... held, "},
		{"wrong flags", "-quick -hours 1", goals, command.Usage, "", "both -quick and -hours"},
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
	if code != command.Failed || !strings.Contains(stderr.String(), "the marks of the figures") || strings.Contains(stderr.String(), "[1/8]") {
		t.Errorf("got exit code %d and\n%s", code, stderr.String())
	}
}

// A run that is interrupted tells of the parts that it has run and that the
// others were not, in print and as JSON, and leaves the document alone.
func TestRunInterrupted(t *testing.T) {
	needMake(t)
	root := t.TempDir()
	const old = beginMark + "of an earlier run\n" + endMark
	doc, figures, pipe := filepath.Join(root, document), filepath.Join(root, "proof.json"), filepath.Join(root, "pipe")
	waiting := strings.Replace(goals, "spin: ;", "spin: ; @echo here > pipe; read never < pipe; ", 1)
	for name, text := range map[string]string{doc: old, figures: "of an earlier run", filepath.Join(root, "Makefile"): waiting} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := makeFIFO(pipe); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if b, err := os.ReadFile(pipe); err != nil || string(b) != "here\n" {
			t.Errorf("got %q, %v", b, err)
		}
		if _, err := os.Stat(figures); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the figures of an earlier run are there: %v", err)
		}
	}()
	var stdout, stderr strings.Builder
	if code := run(ctx, []string{"-root", root, "-json", figures}, &stdout, &stderr); code != command.Interrupted {
		t.Errorf("got exit code %d and\n%s", code, stderr.String())
	}
	var r report
	b, err := os.ReadFile(figures)
	if err != nil || json.Unmarshal(b, &r) != nil {
		t.Fatalf("the JSON is %s, %v", b, err)
	}
	var states []string
	for _, p := range r.Parts {
		states = append(states, p.State)
	}
	if got, want := strings.Join(states, ", "), held+strings.Repeat(", "+notRun, 7); got != want || strings.Count(stdout.String(), "NOT RUN; interrupted") != 7 {
		t.Errorf("got %s, want %s; printed\n%s", got, want, stdout.String())
	}
	if text, err := os.ReadFile(doc); err != nil || string(text) != old {
		t.Errorf("the document is %q, %v", text, err)
	}
}
