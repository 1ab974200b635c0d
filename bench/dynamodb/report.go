package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// spread is the median of all rounds, with the least and the most.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{Median: (values[(n-1)/2] + values[n/2]) / 2, Least: values[0], Most: values[n-1]}
}

// report is what the program found.
type report struct {
	Date    string   `json:"date"`
	System  string   `json:"system"`
	Go      string   `json:"go"`
	Pinned  bool     `json:"pinned"` // client and server have a processor each
	Rounds  int      `json:"rounds"`
	Figures []figure `json:"figures"`
	Ratios  []ratio  `json:"ratios"`
}

// figure is what one contender cost in one cell.
type figure struct {
	Case      string  `json:"case"`
	Batch     int     `json:"batch"`
	RTT       float64 `json:"rtt_ms"`
	Contender string  `json:"contender"`
	CPU       spread  `json:"client_cpu_us_per_record"`
	Requests  spread  `json:"requests_per_record"`
	Wall      spread  `json:"wall_ms_per_batch"`
}

// ratio is what onlyonce is held against.
type ratio struct {
	Case  string  `json:"case"`
	Batch int     `json:"batch"`
	RTT   float64 `json:"rtt_ms"`
	What  string  `json:"what"`
	Found spread  `json:"found"`
	Aim   float64 `json:"aim"`
}

func (r ratio) met() bool { return r.Found.Median <= r.Aim }

// The aims.
const (
	aimOfBare      = 1.3
	aimOfHandFresh = 0.2
	aimOfHand      = 0.25
	aimTrips       = 2.5 // of ten fresh records

	trips = "round trips of a batch, the store's own time taken off"
)

func newReport(s settings, cells []cell, pinned bool) report {
	r := report{
		Date: time.Now().Format(time.DateOnly), System: system(), Go: runtime.Version(),
		Pinned: pinned, Rounds: s.rounds,
	}
	for _, c := range cells {
		for i, name := range c.contenders {
			of := func(value func(turn) float64) spread {
				var values []float64
				for _, t := range c.turns[i] {
					values = append(values, value(t))
				}
				return spreadOf(values)
			}
			r.Figures = append(r.Figures, figure{
				Case: c.name, Batch: c.batch, RTT: ms(c.rtt), Contender: name,
				CPU:      of(func(t turn) float64 { return us(t.cpu) }),
				Requests: of(func(t turn) float64 { return t.requests }),
				Wall:     of(func(t turn) float64 { return ms(t.wall) }),
			})
		}
		r.Ratios = append(r.Ratios, c.ratios()...)
	}
	return r
}

// ratios holds onlyonce against the others, round by round.
func (c cell) ratios() (all []ratio) {
	ours := slices.Index(c.contenders, nameOnlyonce)
	if ours < 0 {
		return nil
	}
	add := func(what string, aim float64, value func(round int) float64) {
		var values []float64
		for round := range c.turns[ours] {
			values = append(values, value(round))
		}
		all = append(all, ratio{Case: c.name, Batch: c.batch, RTT: ms(c.rtt), What: what, Found: spreadOf(values), Aim: aim})
	}
	ofHand := aimOfHand
	if c.name == caseFresh {
		ofHand = aimOfHandFresh
	}
	for name, aim := range map[string]float64{nameBare: aimOfBare, nameHand: ofHand} {
		if other := slices.Index(c.contenders, name); other >= 0 {
			add("client CPU, of that of "+name, aim, func(round int) float64 {
				return float64(c.turns[ours][round].cpu) / float64(c.turns[other][round].cpu)
			})
		}
	}
	if c.name == caseFresh && c.batch == 10 && c.rtt > 0 {
		add(trips, aimTrips, func(round int) float64 {
			t := c.turns[ours][round]
			return float64(t.wall-t.store) / float64(t.rtt)
		})
	}
	slices.SortFunc(all, func(a, b ratio) int { return int(math.Copysign(1, b.Aim-a.Aim)) })
	return all
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// print writes the report as text.
func (r report) print(out io.Writer) error {
	apart := "client and server pinned to a processor each"
	if !r.Pinned {
		apart = "client and server not pinned"
	}
	fmt.Fprintf(out, "%s, %s, %s, %s\nEach figure: the median of %d rounds (least-most)\n", r.Date, r.System, r.Go, apart, r.Rounds)
	r.table(out, "Client CPU per record, us", "%.1f", func(f figure) spread { return f.CPU })
	r.table(out, "Requests per record", "%.2f", func(f figure) spread { return f.Requests })
	r.table(out, "Time per batch, ms", "%.2f", func(f figure) spread { return f.Wall })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nonlyonce\n%s\tfound\taim at most\t\n", lineHead)
	for _, a := range r.Ratios {
		met := "met"
		if !a.met() {
			met = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%d\t%g ms\t%s\t%s\t%g\t%s\n", a.Case, a.Batch, a.RTT, a.What, a.Found.text("%.2f"), a.Aim, met)
	}
	return w.Flush()
}

const lineHead = "records\tbatch\tround trip\t"

// table writes one of the tables: a line for each cell, a column for each
// contender.
func (r report) table(out io.Writer, title, format string, value func(figure) spread) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\n", title)
	for i, f := range r.Figures {
		if i == 0 {
			fmt.Fprint(w, "records\tbatch\tround trip")
			for _, g := range r.Figures {
				if g.Case != f.Case || g.Batch != f.Batch || g.RTT != f.RTT {
					break
				}
				fmt.Fprint(w, "\t"+g.Contender)
			}
		}
		if before := r.Figures[max(i-1, 0)]; i == 0 || before.Case != f.Case || before.Batch != f.Batch || before.RTT != f.RTT {
			fmt.Fprintf(w, "\n%s\t%d\t%g ms", f.Case, f.Batch, f.RTT)
		}
		fmt.Fprint(w, "\t"+value(f).text(format))
	}
	fmt.Fprintln(w)
	_ = w.Flush() // print tells of a writer that fails
}

func (s spread) text(format string) string {
	return fmt.Sprintf(format+" ("+format+"-"+format+")", s.Median, s.Least, s.Most)
}
