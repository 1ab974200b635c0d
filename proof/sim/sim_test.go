package sim_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/onlyonce-go/onlyonce/proof/sim"
)

// usual is how many schedules of each family are played when nobody says
// otherwise by -rapid.checks.
const usual = "20"

// What happened is written to a file as one line of JSON when asked.
var statsFile = flag.String("stats", "", "write what happened as a line of JSON to this `file`")

func TestMain(m *testing.M) {
	total.stats = sim.NewStats()
	_ = flag.Set("rapid.nofailfile", "true") // a plan that fails is printed
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "rapid.checks" })
	if !said && os.Getenv("RAPID_CHECKS") == "" {
		_ = flag.Set("rapid.checks", usual)
		_ = flag.Set("rapid.seed", "1") // few schedules, the same in every run; make sim draws others
	}
	code := m.Run()
	total.mu.Lock()
	fmt.Println(total.stats.String())
	if err := write(*statsFile, total.stats); err != nil {
		fmt.Println("sim:", err)
		code = 1
	}
	total.mu.Unlock()
	os.Exit(code)
}

func write(file string, s sim.Stats) error {
	if file == "" {
		return nil
	}
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(line, '\n'), 0o644)
}

// total is what happened in all plays.
var total struct {
	mu    sync.Mutex
	stats sim.Stats
}

// play plays a plan and returns what was broken.
func play(t *testing.T, p sim.Plan, kept bool) []string {
	t.Helper()
	r := sim.Play(t, p)
	if kept {
		r.Stats.Plays, r.Stats.Kept = 0, 1
	}
	total.mu.Lock()
	total.stats.Add(r.Stats)
	total.mu.Unlock()
	return r.Broken
}

// tries is how often a plan is played that has failed once, or is to be made
// simpler: the jitter of backoffs is not in a plan.
const tries = 5

// anyPlan draws plans of a family and plays them.
func anyPlan(t *testing.T, f sim.Family) {
	t.Parallel()
	times := 1
	rapid.Check(t, func(rt *rapid.T) {
		p := f.Draw(rt)
		for range times {
			if broken := play(t, p, false); len(broken) > 0 {
				times = tries
				rt.Fatalf("%s\nplan, for testdata/plans:\n%s", strings.Join(broken, "\n"), p)
			}
		}
	})
}

// On a standard queue every message's work is done, its effect made once
// unless something kept it from being recorded, and never after that.
func TestStandard(t *testing.T) { anyPlan(t, sim.Family{Mode: sim.Plain}) }

// On a FIFO queue the same holds, and in order within each group.
func TestOrdered(t *testing.T) { anyPlan(t, sim.Family{Mode: sim.Plain, Ordered: true}) }

// An effect in the transaction that records it is made exactly once.
func TestTransactions(t *testing.T) { anyPlan(t, sim.Family{Mode: sim.Tx}) }

// In order too.
func TestTransactionsOrdered(t *testing.T) { anyPlan(t, sim.Family{Mode: sim.Tx, Ordered: true}) }

// An at-most-once consumer never runs anything twice; what may have run is
// parked.
func TestAtMostOnce(t *testing.T) { anyPlan(t, sim.Family{Mode: sim.AtMostOnce}) }

// Plans that failed once are kept, and do not fail again.
func TestKept(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var p sim.Plan
			if err := json.Unmarshal(b, &p); err != nil {
				t.Fatal(err)
			}
			for range tries {
				if broken := play(t, p, true); len(broken) > 0 {
					t.Fatal(strings.Join(broken, "\n"))
				}
			}
		})
	}
}
