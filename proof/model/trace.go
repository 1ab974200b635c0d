package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Violation is a property that does not hold, and how.
type Violation struct {
	Property string
	Trace    []string // from the start, one step a line
}

// String returns the trace under the property's name.
func (v *Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "broken: %s\n", v.Property)
	for i, line := range v.Trace {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
	}
	return b.String()
}

// trace returns the steps that lead up to and include last.
func (s *search) trace(last origin) []string {
	path := []origin{last}
	for at := last.from; at != 0; at = s.came[at].from {
		path = append(path, s.came[at])
	}
	slices.Reverse(path)
	again := world{c: s.w.c}
	at := again.first()
	var lines []string
	for _, o := range path {
		n := again.next(&at)[o.choice]
		lines = append(lines, n.note.String())
		at = n.state
	}
	return lines
}

// String returns the note as a sentence. Workers are A, B, C.
func (n note) String() string {
	var b strings.Builder
	if n.actor != 0 {
		fmt.Fprintf(&b, "%c: ", 'A'+(n.actor-1)%26)
	}
	b.WriteString(n.text)
	if n.op.kind != 0 {
		if n.text != "" {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "(%v", n.op.kind)
		if n.op.kind == dedupe.OpClaim || n.op.kind == dedupe.OpExtend {
			fmt.Fprintf(&b, ", lease until +%d", n.op.lease)
		}
		fmt.Fprintf(&b, ", retention until +%d", n.op.retain)
		if n.op.ran {
			b.WriteString(", after a run")
		}
		b.WriteByte(')')
	}
	if n.applied {
		fmt.Fprintf(&b, " at clock +%d: %v, row %v", n.clock, n.outcome, n.row)
	}
	return b.String()
}
