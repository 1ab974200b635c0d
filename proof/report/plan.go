package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// part is one part of the proof.
type part struct {
	name    string
	title   string        // what it does, and how much of it
	goal    []string      // of make, with its settings: those that the environment could make otherwise as well
	figures string        // the file that it writes, unless they are in its output
	needs   []need        // programs
	limit   time.Duration // a part that takes longer hangs
	read    reader
	cannot  []string // programs that are missing
}

// need is a program that a part cannot do without.
type need struct {
	program string
	or      string // the program that installs it; empty for none
	without string // what is left out without it; empty when nothing is left
}

// size is how much of everything is done.
type size struct {
	faults, spinFaults, rounds, schedules, kills, mutations int     // no mutations are all
	fuzz                                                    string  // a time, or with an x inputs
	scale                                                   float64 // of the limits
}

// fuzzed says how long each target is fuzzed.
func (z size) fuzzed() string {
	if n, err := strconv.Atoi(strings.TrimSuffix(z.fuzz, "x")); err == nil {
		return several(n, "input") + ", those from before included"
	}
	return z.fuzz
}

func sizeOf(s settings) size {
	switch {
	case s.quick:
		return size{faults: 1, spinFaults: 1, rounds: 3, schedules: 50, kills: 8, mutations: 3, fuzz: "1000x", scale: 1}
	case s.hours > 0:
		// Half of the time is for the fuzz targets, of which there are about forty.
		of := func(perHour float64) int { return int(math.Ceil(perHour * s.hours)) }
		return size{
			faults: 3, spinFaults: 2, rounds: of(500), schedules: of(25000), kills: of(500),
			fuzz: fmt.Sprintf("%ds", of(45)), scale: 1 + 4*s.hours,
		}
	}
	return size{faults: 2, spinFaults: 1, rounds: 100, schedules: 2000, kills: 200, fuzz: "3s", scale: 1}
}

// parts returns all of them, those that take minutes last.
func parts(s settings) []part {
	z := sizeOf(s)
	limit := func(minutes float64) time.Duration { return time.Duration(minutes * z.scale * float64(time.Minute)) }
	root, err := filepath.Abs(s.root)
	if err != nil {
		panic(err) // there is no working directory
	}
	file := func(name string) string { return filepath.Join(root, "dist", "proof", name+".json") }
	set := func(name string, v any) string { return fmt.Sprintf("%s=%v", name, v) }
	mutations := "all"
	if z.mutations > 0 {
		mutations = grouped(z.mutations)
	}
	return []part{
		{
			name: "model", title: "exhaustive search in Go: " + several(z.faults, "fault"),
			goal: []string{"model", set("FAULTS", z.faults)}, limit: limit(10), read: readModel,
		},
		{
			name: "spin", title: "exhaustive search with Spin: " + several(z.spinFaults, "fault"),
			goal: []string{"spin", set("FAULTS", z.spinFaults), set("FIGURES", file("spin"))}, figures: file("spin"),
			needs: []need{{program: "spin", or: "apt-get"}, {program: "gcc", or: "apt-get"}}, limit: limit(15), read: readSpin,
		},
		{
			name: "sim", title: "simulation: " + several(z.schedules, "schedule"),
			goal:    []string{"sim", set("N", z.schedules), "SIMFLAGS=-stats=" + file("sim")},
			figures: file("sim"), limit: limit(15), read: readSim,
		},
		{
			name: "linearizability", title: "linearizability: " + several(z.rounds, "load") + " on each store",
			goal:  []string{"linearizability", set("ROUNDS", z.rounds)},
			needs: []need{{program: "python3", without: "the DynamoDB of ministack"}}, limit: limit(10), read: readLinear,
		},
		{
			name: "crash", title: "crashes: " + several(z.kills, "kill"),
			goal:    []string{"crash", set("KILLS", z.kills), set("FIGURES", file("crash")), "CRASHFLAGS="},
			figures: file("crash"), limit: limit(15), read: readCrash,
		},
		{
			name: "damage", title: "damage: bbolt's file after kills, power failures and garbage",
			goal: []string{"damage"}, limit: limit(10), read: readDamage,
		},
		{
			name: "mutations", title: "mutations: " + mutations + " seeded defects",
			goal:    []string{"mutations", set("MUTATIONS", z.mutations), set("FIGURES", file("mutations"))},
			figures: file("mutations"), limit: limit(40), read: readMutations,
		},
		{
			name: "fuzz", title: "hostile input: every fuzz target for " + z.fuzzed(),
			goal: []string{"fuzz", set("FUZZTIME", z.fuzz), "FUZZ=", "FUZZFLAGS="}, figures: filepath.Join(root, "dist", "fuzz.json"),
			limit: limit(30), read: readFuzz,
		},
	}
}

// choose returns the parts with these names, all when there are none.
func choose(all []part, only string) ([]part, error) {
	if only == "" {
		return all, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
