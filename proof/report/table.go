package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// report is what came of all parts.
type report struct {
	Measured measurement `json:"measured"`
	Parts    []result    `json:"parts"`
}

// held reports whether every part held, be it in part.
func (r *report) held() bool {
	return !slices.ContainsFunc(r.Parts, func(p result) bool { return p.State != held && p.State != heldInPart })
}

func (r *report) save(name string) error {
	if name == "" {
		return nil
	}
	return figures.Write(name, r)
}

// table is one table of the report.
type table struct {
	title string // empty for the first
	head  []string
	rows  [][]string
}

// tables returns the parts, and what each of them tried by its subject.
func (r *report) tables() []table {
	all := []table{{head: []string{"part", "result", "s"}}}
	for _, p := range r.Parts {
		state := p.State
		for _, why := range append(slices.Clone(p.LeftOut), p.Reason) {
			if why != "" {
				state += "; " + why
			}
		}
		all[0].rows = append(all[0].rows, []string{p.Title, state, fmt.Sprintf("%.0f", p.Seconds)})
	}
	for _, about := range subjects() {
		t := table{title: about[0], head: []string{about[1], "tried by", "how often", "what came of it"}}
		for _, p := range r.Parts {
			for _, row := range p.Rows {
				if string(row.About) == about[0] {
					t.rows = append(t.rows, row.cells())
				}
			}
		}
		if len(t.rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (r row) cells() []string {
	times, result := grouped(r.Times), r.Result
	if r.Unit != "" {
		times += " " + r.Unit
	}
	if r.Failed {
		result = failed + ": " + result
	}
	return []string{r.What, r.By, times, result}
}

// markdown returns the report as it stands in the document.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Measured)
	for _, t := range r.tables() {
		if t.title != "" {
			fmt.Fprintf(&b, "\n### %s\n", t.title)
		}
		fmt.Fprintf(&b, "\n| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
		for _, cells := range t.rows {
			for i := range cells {
				cells[i] = cell(cells[i])
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	return b.String()
}

// cell makes s one cell of a table in Markdown, in bold where it tells of a
// failure.
func cell(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	for _, loud := range []string{failed, notRun} {
		if rest, ok := strings.CutPrefix(s, loud); ok {
			return "**" + loud + "**" + rest
		}
	}
	return s
}

// text returns the report as it is printed.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.Measured)
	for _, t := range r.tables() {
		if t.title != "" {
			fmt.Fprintf(&b, "\n%s\n", t.title)
		}
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  "+strings.Join(t.head, "\t"))
		for _, cells := range t.rows {
			fmt.Fprintln(w, "  "+strings.Join(cells, "\t"))
		}
		_ = w.Flush() // a strings.Builder takes everything
	}
	return b.String()
}
