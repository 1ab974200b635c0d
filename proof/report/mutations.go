package main

import (
	"encoding/json"
	"strings"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readMutations reads what proof/mutate wrote: a row for each area, with the
// packages whose tests caught its defects.
func readMutations(out output) ([]row, error) {
	var all []figures.Mutation
	if err := json.Unmarshal(out.figures, &all); err != nil {
		return nil, err
	}
	var areas []string
	made := map[string][]figures.Mutation{}
	for _, m := range all {
		if made[m.Area] == nil {
			areas = append(areas, m.Area)
		}
		made[m.Area] = append(made[m.Area], m)
	}
	var rows []row
	for _, area := range areas {
		r := row{About: defects, What: area, By: "mutations", Times: len(made[area])}
		var survived []string
		by := map[string]int{}
		for _, m := range made[area] {
			if m.Test == "" {
				survived = append(survived, m.Name)
				continue
			}
			by["by "+m.Package]++
		}
		r.Result = "all caught: " + counts(by)
		if r.Failed = len(survived) > 0; r.Failed {
			r.Result = "SURVIVED: " + strings.Join(survived, ", ") + "; caught: " + counts(by)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
