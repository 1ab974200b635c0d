package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"
)

// spread is a figure over several rounds.
type spread struct{ Median, Least, Most float64 }

func spreadOf(runs []outcome, value func(outcome) float64) spread {
	if len(runs) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = value(r)
	}
	return newSpread(values)
}

func newSpread(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) format(digits int) string {
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, s.Median, digits, s.Least, digits, s.Most)
}

// of returns the runs of a contender in a cell, in the order of the rounds.
func of(runs []outcome, c cell, who contender) []outcome {
	var its []outcome
	for _, r := range runs {
		if r.Cell == c && r.Contender == who {
			its = append(its, r)
		}
	}
	return its
}

// report writes the tables.
func report(w io.Writer, s settings, runs []outcome) {
	where := "on a core each"
	if pinning() == "" {
		where = "NOT on a core each (no taskset, or one core)"
	}
	fmt.Fprintf(w, "Median of %d rounds of %v (least-most), consumer and load server %s, bodies of %d bytes.\n",
		s.rounds, s.time, where, s.body)
	fmt.Fprintln(w, "us/msg: CPU time of the consumer's process; server: part of a core that the load server used;")
	fmt.Fprintln(w, "starved: part of the time in which the consumer was kept from its core by other work on the machine.")
	for _, c := range cells() {
		table(w, c, runs)
	}
	fmt.Fprintln(w, "\nAims, of runs of the same round and with as many messages in flight")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "aim\tround trip/handler\thandlers\tlimit\tmedian (least-most)\t")
	for _, v := range verdicts(runs) {
		fmt.Fprintf(t, "%s\t%v\t%d\t%s\t%s\t%s\n", v.Aim, v.Cell, v.Flight, v.Limit, v.Got.format(2), v.word())
	}
	_ = t.Flush()
}

func table(w io.Writer, c cell, runs []outcome) {
	if !slices.ContainsFunc(runs, func(r outcome) bool { return r.Cell == c }) {
		return
	}
	fmt.Fprintf(w, "\nround trip %v, handlers of %v\n", c.RTT, c.Handler)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "consumer\tmsg/s\tus/msg\trequests/msg\treceives\tdeletes\tin flight\tMiB\tallocs/msg\tB/msg\tserver\tstarved")
	for _, who := range order(anyName(), 0) {
		its := of(runs, c, who)
		if len(its) == 0 {
			continue
		}
		median := func(value func(outcome) float64) float64 { return spreadOf(its, value).Median }
		fmt.Fprintf(t, "%v\t%s\t%s\t%s\t%.3f\t%.3f\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\n", who,
			spreadOf(its, func(o outcome) float64 { return o.Rate }).format(0),
			spreadOf(its, func(o outcome) float64 { return o.CPU }).format(1),
			spreadOf(its, func(o outcome) float64 { return o.Requests }).format(3),
			median(func(o outcome) float64 { return o.Receives }),
			median(func(o outcome) float64 { return o.Deletes }),
			median(func(o outcome) float64 { return float64(o.InFlight) }),
			median(func(o outcome) float64 { return o.PeakMiB }),
			median(func(o outcome) float64 { return o.Allocs }),
			median(func(o outcome) float64 { return o.Bytes }),
			median(func(o outcome) float64 { return o.Server }),
			median(func(o outcome) float64 { return o.Starved }))
	}
	_ = t.Flush()
}

// verdict is an aim in one cell, with so many handlers, and what came of it.
type verdict struct {
	Aim    string
	Cell   cell
	Flight int
	Limit  string
	Got    spread
	Met    bool
}

func (v verdict) word() string {
	if v.Met {
		return "met"
	}
	return "MISSED"
}

// verdicts compares runs of the same round, which other work on the machine slowed down alike.
func verdicts(runs []outcome) []verdict {
	var all []verdict
	for _, a := range aims() {
		for _, c := range cells() {
			for _, n := range flights() {
				ours, theirs := of(runs, c, contender{onlyonce, n, a.Dedupe}), of(runs, c, contender{bare, n, ""})
				if !a.Applies(c) || len(ours) == 0 || len(ours) != len(theirs) {
					continue
				}
				values := make([]float64, len(ours))
				for i := range ours {
					values[i] = a.Value(ours[i], theirs[i])
				}
				v := verdict{Aim: a.Text, Cell: c, Flight: n, Got: newSpread(values)}
				v.Limit, v.Met = fmt.Sprintf("<= %.2f", a.Limit(c)), v.Got.Median <= a.Limit(c)
				if a.AtLeast {
					v.Limit, v.Met = fmt.Sprintf(">= %.2f", a.Limit(c)), v.Got.Median >= a.Limit(c)
				}
				all = append(all, v)
			}
		}
	}
	return all
}

// writeJSON writes all that was measured to a file.
func writeJSON(file string, s settings, runs []outcome) error {
	text, err := json.MarshalIndent(map[string]any{
		"rounds": s.rounds, "time": s.time, "body": s.body, "pinned": pinning() != "", "runs": runs, "aims": verdicts(runs),
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // figures that all may read
}
