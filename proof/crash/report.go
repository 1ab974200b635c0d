package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// result is what became of one way on one store.
type result struct {
	way     way
	store   string
	kills   int
	orders  int
	effects int
	doubled int
	faults  []string
	err     error // why it was given up
	took    time.Duration

	killed map[point]int
	by     map[point]int // doubled, by where the life before was killed
}

func (b *bed) result(began time.Time, err error) result {
	l := b.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	r := result{
		way: b.o.way, store: b.o.store, orders: b.orders, effects: l.effects, doubled: l.doubled, faults: l.faults, err: err,
		took: time.Since(began), killed: b.killed, by: map[point]int{},
	}
	for _, n := range b.killed {
		r.kills += n
	}
	for life, n := range l.by {
		r.by[b.ends[life]] += n
	}
	return r
}

// report returns the results as tables in Markdown.
func report(results []result, seed uint64, took time.Duration) string {
	var s strings.Builder
	kills, orders := 0, 0
	for _, r := range results {
		kills += r.kills
		orders += r.orders
	}
	fmt.Fprintf(&s, "%d kills with SIGKILL, %d orders, in %s (seed %d).\n\n", kills, orders, took.Round(time.Second), seed)
	s.WriteString("| worker | store | kills | orders | effects | doubled: killed before they were recorded | lost, or run again though recorded |\n|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		faults := strconv.Itoa(len(r.faults))
		if r.err != nil {
			faults += ", and it was given up"
		}
		fmt.Fprintf(&s, "| %s | %s | %d | %d | %d | %d | %s |\n", r.way, r.store, r.kills, r.orders, r.effects, r.doubled, faults)
	}
	s.WriteString("\n| killed | kills | effects doubled by it |\n|---|---|---|\n")
	for _, p := range allPoints() {
		n, doubled := 0, 0
		for _, r := range results {
			n += r.killed[p]
			doubled += r.by[p]
		}
		fmt.Fprintf(&s, "| %s | %d | %d |\n", p, n, doubled)
	}
	return s.String()
}

// counted returns the results as figures.
func counted(results []result, seed uint64) figures.Crash {
	c := figures.Crash{Seed: seed}
	for _, r := range results {
		b := figures.Bed{Worker: string(r.way), Store: r.store, Orders: r.orders, Effects: r.effects, Faults: r.faults}
		if r.err != nil {
			b.Error = r.err.Error()
		}
		for _, p := range allPoints() {
			if n := r.killed[p]; n > 0 {
				b.Kills = append(b.Kills, figures.Kills{Point: string(p), Kills: n, Doubled: r.by[p]})
			}
		}
		c.Beds = append(c.Beds, b)
	}
	return c
}
