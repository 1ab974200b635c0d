package main

import (
	"encoding/json"
	"strings"
)

// readFuzz reads what scripts/fuzz.sh wrote: a row for each package. The inputs
// are those that were made in this run.
func readFuzz(out output) ([]row, error) {
	var targets []struct {
		Target                   string
		Execs, Seconds, Findings int
	}
	if err := json.Unmarshal(out.figures, &targets); err != nil {
		return nil, err
	}
	type tally struct {
		targets, execs int
		found, idle    []string
	}
	var packages []string
	of := map[string]*tally{}
	for _, t := range targets {
		name, _, _ := strings.Cut(t.Target, ".Fuzz")
		if of[name] == nil {
			packages = append(packages, name)
			of[name] = new(tally)
		}
		p := of[name]
		p.targets, p.execs = p.targets+1, p.execs+t.Execs
		switch {
		case t.Findings > 0:
			p.found = append(p.found, t.Target)
		case t.Execs == 0:
			p.idle = append(p.idle, t.Target)
		}
	}
	var rows []row
	for _, name := range packages {
		p := of[name]
		r := row{
			About: inputs, What: name, By: several(p.targets, "fuzz target"), Times: p.execs, Unit: "inputs",
			Result: "nothing found", NotTried: p.idle,
		}
		if r.Failed = len(p.found) > 0; r.Failed {
			r.Result = "in " + strings.Join(p.found, ", ")
		}
		if len(p.idle) > 0 {
			r.Result += "; not tried: " + strings.Join(p.idle, ", ")
		}
		rows = append(rows, r)
	}
	return rows, nil
}
