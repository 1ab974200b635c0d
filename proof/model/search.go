package model

import (
	"crypto/sha256"
	"fmt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Result says how much was searched, and what was found.
type Result struct {
	States, Transitions, Depth int

	// Cut counts the steps that were left out because a state has no room for
	// one more late copy or worker.
	Cut int

	Violation *Violation // nil when every property holds
}

// String gives the figures on one line.
func (r Result) String() string {
	return fmt.Sprintf("%d states, %d transitions, depth %d, %d cut", r.States, r.Transitions, r.Depth, r.Cut)
}

// fingerprint stands for a state: 16 bytes of its SHA-256.
type fingerprint [16]byte

// search is a breadth-first search under way. States are numbered in the order
// in which they were found.
type search struct {
	w     world
	live  bool // the graph is kept, to look at as a whole
	seen  map[fingerprint]uint32
	came  []origin
	edges []edge   // without those of faults, in the order of their states
	first []uint32 // of each state's edges
	goal  []bool
}

// origin is the first way to a state.
type origin struct{ from, choice uint32 }

// edge leads to a state, by a step of a kind. There are tens of millions.
type edge uint32

const kindBits = 4

func edgeTo(to uint32, k kind) edge { return edge(to<<kindBits | uint32(k)) }

func (e edge) to() uint32 { return uint32(e) >> kindBits }

func (e edge) kind() kind { return kind(e & (1<<kindBits - 1)) }

// Search looks at every state that c makes possible. It stops at the first
// violation.
func Search(c Config) Result {
	if c.Step == nil {
		c.Step = dedupe.Step
	}
	if c.Workers < 1 || c.Lease < 1 || c.Retention < 1 || c.Faults < 0 {
		panic("model: Search: a bound is missing")
	}
	s := search{w: world{c: c}, seen: make(map[fingerprint]uint32)}
	for _, p := range Properties() {
		switch {
		case c.Only != "" && c.Only != p.Name:
		case p.breaks == nil:
			s.live = true
		default:
			s.w.checks = append(s.w.checks, p)
		}
	}
	return s.run()
}

func (s *search) run() (r Result) {
	start := s.w.first()
	s.add(&start, origin{})
	var number uint32
	for level := []state{start}; len(level) > 0; r.Depth++ {
		var next []state
		for i := range level {
			s.first = append(s.first, uint32(len(s.edges)))
			s.goal = append(s.goal, level[i].ended())
			for choice, n := range s.w.next(&level[i]) {
				r.Transitions++
				from := origin{number, uint32(choice)}
				to, fresh := s.add(&n.state, from)
				if n.broken != "" {
					r.Violation = &Violation{Property: n.broken, Trace: s.trace(from)}
					r.States, r.Cut = len(s.came), s.w.cut
					return r
				}
				if fresh {
					next = append(next, n.state)
				}
				if s.live && n.kind != fault {
					s.edges = append(s.edges, edgeTo(to, n.kind))
				}
			}
			number++
		}
		level = next
	}
	r.States, r.Cut = len(s.came), s.w.cut
	if s.live {
		r.Violation = s.endless()
	}
	return r
}

// add returns the number of a state and whether it is new.
func (s *search) add(st *state, from origin) (uint32, bool) {
	var buf [512]byte
	sum := sha256.Sum256(st.encode(buf[:0]))
	f := fingerprint(sum[:16])
	if n, ok := s.seen[f]; ok {
		return n, false
	}
	n := uint32(len(s.came))
	s.seen[f] = n
	s.came = append(s.came, from)
	return n, true
}

// ended reports whether the record has come to one of its ends.
func (s *state) ended() bool {
	return s.message == deleted || s.message == deadLettered || s.row.state == dedupe.Parked
}
