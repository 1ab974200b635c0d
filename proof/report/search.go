package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readModel reads what the tests of proof/model told.
func readModel(out output) ([]row, error) {
	const by = "model in Go"
	all := out.attributes("TestProperties")
	found, err := told[figures.Search](all)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, s := range found {
		what := fmt.Sprintf("%s: %d workers, %s", s.Model, s.Workers, several(s.Faults, "fault"))
		rows = append(rows, out.of(all[i].test, searched(s, what, by)))
	}
	inOrder(rows)
	for _, m := range []struct{ test, what string }{
		{"TestStepMutants", "mistakes in the protocol"}, {"TestGuardMutants", "mistakes in the guard"},
	} {
		made, err := told[figures.Mistake](out.attributes(m.test))
		if err != nil {
			return nil, err
		}
		if len(made) > 0 {
			rows = append(rows, out.of(m.test, mistakes(searches, m.what, by, made)))
		}
	}
	return append(rows, out.silent(searches, by, "TestProperties", "TestStepMutants", "TestGuardMutants")...), nil
}

// readSpin reads what scripts/spin.sh wrote: searches and mistakes, one after
// the other.
func readSpin(out output) (rows []row, err error) {
	var made []figures.Mistake
	for dec := json.NewDecoder(bytes.NewReader(out.figures)); ; {
		var f struct {
			figures.Search
			figures.Mistake
		}
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if f.Model == "" {
			made = append(made, f.Mistake)
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(f.Model, "_", " "))
		check := f.Check
		if check == "formula" {
			check = "the record comes to an end"
		}
		rows = append(rows, searched(f.Search, fmt.Sprintf("%s: %s, %s", name, check, several(f.Faults, "fault")), "Spin"))
	}
	if len(made) > 0 {
		rows = append(rows, mistakes(searches, "mistakes in the protocol and the guard", "Spin", made))
	}
	return rows, nil
}

func searched(s figures.Search, what, by string) row {
	r := row{About: searches, What: what, By: by, Times: s.States, Unit: "states", Failed: s.Violation != ""}
	r.Result = "holds in every state"
	if r.Failed {
		r.Result = "violated: " + s.Violation
	}
	r.Result += fmt.Sprintf("; %s transitions, depth %s", grouped(s.Transitions), grouped(s.Depth))
	return r
}

// mistakes is one row for all that were made on purpose.
func mistakes(about subject, what, by string, made []figures.Mistake) row {
	var missed []string
	for _, m := range made {
		if !m.Found {
			missed = append(missed, m.Mistake)
		}
	}
	r := row{About: about, What: what, By: by, Times: len(made), Result: "all found", Failed: len(missed) > 0}
	if r.Failed {
		r.Result = "not found: " + strings.Join(missed, ", ")
	}
	return r
}
