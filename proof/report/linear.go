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
	const by, broken = "porcupine", "TestBroken"
	stores := []string{"TestMemory", "TestBolt", "TestDynamoDB", "TestDynamoDBEndpoint"}
	var rows []row
	for _, store := range stores {
		all := out.attributes(store)
		heard, err := told[figures.Histories](all)
		if err != nil {
			return nil, err
		}
		for i, h := range heard {
			rows = append(rows, out.of(all[i].test, linearized(h)))
		}
	}
	inOrder(rows)
	made, err := told[figures.Mistake](out.attributes(broken))
	if err != nil {
		return nil, err
	}
	if len(made) > 0 {
		rows = append(rows, out.of(broken, mistakes(histories, "stores with a mistake", by, made)))
	}
	return append(rows, out.silent(histories, by, append(stores, broken)...)...), nil
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
		r.What += ", over a network that fails"
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
