package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// report returns the results as a table in Markdown.
func report(results []result, took time.Duration) string {
	var b strings.Builder
	caught := 0
	for _, r := range results {
		if r.by != "" {
			caught++
		}
	}
	fmt.Fprintf(&b, "%d of %d defects were caught, in %s. The seconds are those of the checks that it took, building included.\n\n",
		caught, len(results), took.Round(time.Second))
	b.WriteString("| where | defect | what is wrong then | caught by | s |\n|---|---|---|---|---|\n")
	for _, r := range results {
		by := "**nothing**"
		if r.by != "" {
			by = r.check.where() + " " + r.by
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f |\n", r.defect.file, r.defect.name, r.defect.breaks, by, r.took.Seconds())
	}
	return b.String()
}

// counted returns the results as figures.
func counted(results []result) []figures.Mutation {
	all := make([]figures.Mutation, len(results))
	for i, r := range results {
		all[i] = figures.Mutation{
			Area: r.defect.area, File: r.defect.file, Name: r.defect.name, Breaks: r.defect.breaks,
			Package: r.check.where(), Test: r.by, Seconds: r.took.Seconds(),
		}
	}
	return all
}
