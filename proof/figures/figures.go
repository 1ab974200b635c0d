// Package figures is what the parts of the proof count, in the form in which
// proof/report reads it: JSON, in the attribute of a test or in a file.
package figures

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Search is one exhaustive search, of proof/model or of Spin.
type Search struct {
	Model       string `json:"model"`
	Check       string `json:"check,omitempty"`
	Workers     int    `json:"workers,omitempty"`
	Faults      int    `json:"faults"`
	States      int    `json:"states"`
	Transitions int    `json:"transitions"`
	Depth       int    `json:"depth"`
	Violation   string `json:"violation,omitempty"` // what was found, in a few words
}

// Mistake is one that was made on purpose, for a check to find.
type Mistake struct {
	Mistake string `json:"mistake"`
	Found   bool   `json:"found"`
}

// Simulation is what happened in plays of the simulation.
type Simulation struct {
	Plays       int `json:"schedules"` // that were drawn
	Kept        int `json:"kept"`      // plays of those that failed once
	Messages    int `json:"messages"`  // that were sent, those of redrives and replays too
	Deliveries  int `json:"deliveries"`
	Runs        int `json:"runs"` // of handlers
	Effects     int `json:"effects"`
	Repeats     int `json:"repeats"` // effects after the first of their key, each of them excused
	Completions int `json:"completions"`
	Requests    int `json:"requests"`
	Kills       int `json:"kills"`
	Histories   int `json:"histories"`  // keys whose history was linearized
	Operations  int `json:"operations"` // of those histories
	Undecided   int `json:"undecided"`  // plays with a history for which the time did not suffice

	Faults map[string]int `json:"faults"` // by their kind; every one is there
}

// Histories are those of one store.
type Histories struct {
	Store      string         `json:"store"`
	Histories  int            `json:"histories"`
	Operations int            `json:"operations"`
	Unknown    int            `json:"unknown"`          // operations whose outcome nobody heard
	Faults     map[string]int `json:"faults,omitempty"` // between the store and its server
	Violation  string         `json:"violation,omitempty"`
}

// Damage is what became of a file that was damaged in one way, so often.
type Damage struct {
	Tried int            `json:"tried"`
	Found map[string]int `json:"found"`
}

// Crash is what became of workers that were killed.
type Crash struct {
	Seed uint64 `json:"seed"`
	Beds []Bed  `json:"beds"`
}

// Bed is one kind of worker on one store.
type Bed struct {
	Worker  string   `json:"worker"`
	Store   string   `json:"store"`
	Orders  int      `json:"orders"`
	Effects int      `json:"effects"`
	Kills   []Kills  `json:"kills"`
	Faults  []string `json:"faults"`          // what must not be
	Error   string   `json:"error,omitempty"` // why it was given up, unjudged
}

// Kills are those at one point.
type Kills struct {
	Point   string `json:"point"`
	Kills   int    `json:"kills"`
	Doubled int    `json:"doubled"` // effects had again, all of them not recorded before
}

// Mutation is one defect that was put into the code.
type Mutation struct {
	Area    string  `json:"area"`
	File    string  `json:"file"`
	Name    string  `json:"name"`
	Breaks  string  `json:"breaks"`
	Package string  `json:"package,omitempty"` // of the test that caught it
	Test    string  `json:"test,omitempty"`    // that caught it; empty when it survived
	Seconds float64 `json:"seconds"`
}

// Key is the name of the attribute.
const Key = "figures"

// Attr makes v an attribute of a test.
func Attr(t interface{ Attr(key, value string) }, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types above have a form
	}
	t.Attr(Key, string(b))
}

// Write writes v to a file, whose folder need not exist.
func Write(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o600)
}
