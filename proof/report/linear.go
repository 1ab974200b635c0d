package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readLinear reads what the tests of proof/linear told.
func readLinear(out output) ([]row, error) {
	var rows []row
	for _, a := range out.attributes("Test") {
		if strings.HasPrefix(a.test, "TestBroken/") {
			continue
		}
		all, err := told[figures.Histories]([]attribute{a})
		if err != nil {
			return nil, err
		}
		rows = append(rows, linearized(all[0]))
	}
	inOrder(rows)
	made, err := told[figures.Mistake](out.attributes("TestBroken/"))
	if err != nil || len(made) == 0 {
		return rows, err
	}
	return append(rows, mistakes(histories, "stores with a mistake", "porcupine", made)), nil
}

func linearized(h figures.Histories) row {
	r := row{
		About: histories, What: h.Store, By: "porcupine", Times: h.Histories, Unit: "histories of a key",
		Result: "linearizable", Failed: h.Violation != "",
	}
	if r.Failed {
		r.Result = fmt.Sprintf("no order explains that of %q, or none was found in time", h.Violation)
	}
	r.Result += fmt.Sprintf("; %s operations, %s of unknown outcome", grouped(h.Operations), grouped(h.Unknown))
	if len(h.Faults) > 0 {
		r.What += ", with faults of the network"
		r.Result += "; " + counts(h.Faults)
	}
	return r
}

// counts names how many there are of each kind.
func counts(of map[string]int) string {
	all := make([]string, 0, len(of))
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s %s", grouped(of[kind]), kind))
	}
	return strings.Join(all, ", ")
}
