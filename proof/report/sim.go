package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readSim reads the statistics of proof/sim.
func readSim(out output) ([]row, error) {
	var s figures.Simulation
	if err := json.Unmarshal(out.figures, &s); err != nil {
		return nil, err
	}
	const by = "simulation"
	lost, bad := out.verdict("nothing lost, nothing recorded ran again")
	repeats := grouped(s.Repeats) + " of them repeated"
	if !bad {
		repeats += ", each where the promise ends"
	}
	rows := []row{{
		About: faults, What: "drawn schedules, each with some of what follows", By: by, Times: s.Plays, Failed: bad,
		Result: fmt.Sprintf("%s; with those of the next line %s messages, %s deliveries, %s effects, %s",
			lost, grouped(s.Messages), grouped(s.Deliveries), grouped(s.Effects), repeats),
	}, {
		About: faults, What: "plays of schedules that failed once", By: by, Times: s.Kept, Result: lost, Failed: bad,
	}}
	for _, kind := range troubles() {
		if n, ok := s.Faults[kind[0]]; ok {
			rows = append(rows, row{About: faults, What: kind[1], By: by, Times: n, Result: lost, Failed: bad})
			delete(s.Faults, kind[0])
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Faults)) { // those that this program does not know
		rows = append(rows, row{About: faults, What: kind, By: by, Times: s.Faults[kind], Result: lost, Failed: bad})
	}
	legal, bad := out.verdict("linearizable")
	return append(rows, row{
		About: histories, What: "DynamoDB, in the simulation", By: "porcupine", Times: s.Histories, Unit: "histories of a key", Failed: bad,
		Result: fmt.Sprintf("%s; %s operations; those of %s schedules left open, where too much stayed unknown", legal, grouped(s.Operations), grouped(s.Undecided)),
	}), nil
}

// troubles are the simulation's names for what goes wrong, and ours.
func troubles() [][2]string {
	return [][2]string{
		{"drop before", "a request to SQS or DynamoDB lost before it was applied"},
		{"drop after apply", "a response of SQS or DynamoDB lost after the request was applied"},
		{"applied after it was lost", "a request given up by its client and applied later"},
		{"delay", "a request or a response late"},
		{"delay past the lease", "a request or a response late by more than the lease"},
		{"throttle", "a request or an invocation throttled"},
		{"5xx", "a request answered with a server error"},
		{"partial batch failure", "entries of a batch failed"},
		{"bad checksum", "a response with a false checksum"},
		{"truncated answer", "a response cut off"},
		{"transaction holds its item", "a transaction that holds its items against others"},
		{"cut off from the store", "a request of a worker that cannot reach the store"},
		{"duplicate delivery", "a message delivered again while in flight or after its delete"},
		{"duplicate invocation", "a function invoked twice with the same messages"},
		{"lost invocation response", "a function's response lost"},
		{"deadline", "a deadline passed while a handler ran"},
		{"clock offset", "a process with a clock that is off by half of the skew"},
		{"kill", "a process killed"},
	}
}
