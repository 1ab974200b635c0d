package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// result is what a demo ends with. The members with names are its JSON; help
// says what they mean.
type result struct {
	Messages   int     `json:"messages"`
	Deliveries int     `json:"deliveries"`
	Effects    int     `json:"effects"`
	Skipped    int     `json:"duplicates_skipped"`
	Failures   int     `json:"failures"`
	Lost       int     `json:"lost"`
	Doubled    int     `json:"doubled"`
	Seconds    float64 `json:"seconds"`

	status status
}

func (d *demo) result() result {
	s := d.status()
	r := result{
		Messages: d.s.messages, Deliveries: s.deliveries, Effects: s.totals.effects,
		Skipped: s.worker.skipped, Failures: s.worker.failed,
		Seconds: math.Round(d.took.Seconds()*1000) / 1000,
		status:  s,
	}
	r.Lost, r.Doubled = d.ledger.judge()
	return r
}

// good tells whether every order took effect once.
func (r result) good() bool { return r.Lost == 0 && r.Doubled == 0 }

// printJSON prints the one line that programs read.
func (r result) printJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// print prints the table that people read.
func (r result) print(w io.Writer, s settings) {
	row := func(name string, n int, remark string, args ...any) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-26s%8d  %s", name, n, fmt.Sprintf(remark, args...)), " "))
	}
	t := r.status.totals
	writeLines(w, "", "On the way")
	row("deliveries", r.Deliveries, "of %s", count(r.Messages, "order", "orders"))
	row("failed runs", r.Failures, "%d answered 500, %s lost%s", t.refused, count(t.cut, "answer", "answers"), r.otherFailures())
	if s.via == viaPoll {
		row("queue's answers lost", r.status.dropped, "to receives and deletes")
	} else {
		row("batch responses lost", r.status.dropped, "%s", r.droppedSo())
	}
	row("workers killed", r.status.crashes, "%s", r.killedSo())
	writeLines(w, "What came of it")
	row("duplicates skipped", r.Skipped, "acknowledged without running the handler")
	row("repeated calls absorbed", t.absorbed(), "%s, %d for the kill%s",
		count(t.afterCut, "for a lost answer", "for lost answers"), t.afterCrash, r.oddities())
	if t.absorbed() > 0 {
		writeLines(w, strings.Repeat(" ", 38)+"(the ledger knew their Idempotency-Key)")
	}
	row("effects applied", r.Effects, "in %.1f s", r.Seconds)
	row("orders lost", r.Lost, "")
	row("orders doubled", r.Doubled, "%s", r.doubledBy(s))
	writeLines(w, "", r.verdict(), "",
		"Next: README.md has the few lines that put this before your own handler;",
		program+" --help tells what to turn. Try --messages 10000, or --key id.")
}

// count returns n with the noun that goes with it.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (r result) droppedSo() string {
	switch r.status.dropped {
	case 0:
		return ""
	case 1:
		return "the whole batch came again"
	}
	return "each time the whole batch came again"
}

func (r result) killedSo() string {
	if r.status.crashes == 0 {
		return ""
	}
	return "with SIGKILL, in the middle of its work"
}

// oddities tells what a run on a machine that is not overloaded does not have.
func (r result) oddities() string {
	text := ""
	if n := r.status.totals.unexpected; n > 0 {
		text += fmt.Sprintf(", %d otherwise", n)
	}
	if n := r.status.totals.stale; n > 0 {
		text += "; " + count(n, "call", "calls") + " with an old fencing number"
	}
	return text
}

func (r result) otherFailures() string {
	if n := r.Failures - r.status.totals.refused - r.status.totals.cut; n > 0 {
		return fmt.Sprintf(", %d otherwise", n)
	}
	return ""
}

func (r result) doubledBy(s settings) string {
	if r.Doubled > 0 && s.key.text == "id" {
		return "sent twice under two ids: that is why\n" + strings.Repeat(" ", 38) + "--key " + orderKey + " is the default"
	}
	return ""
}

// verdict is what the demo proves.
func (r result) verdict() string {
	if !r.good() {
		return fmt.Sprintf("FAILED: of %s %s lost and %d took effect more than once.",
			count(r.Messages, "order", "orders"), count(r.Lost, "was", "were"), r.Doubled)
	}
	all := fmt.Sprintf("All %d orders", r.Messages)
	if r.Messages == 1 {
		all = "The order"
	}
	return all + " took effect exactly once, whatever failed, died or came twice."
}
