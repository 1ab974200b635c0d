package ddbtest

import (
	"bytes"
	"strings"
)

// condition is a parsed condition.
type condition struct {
	holds func(Item) bool
	// equals are the attributes that it compares with a constant for
	// equality, wherever it holds.
	equals Item
}

// condition reads OR of AND of NOT of comparisons.
func (p *parser) condition() condition {
	c := p.conjunction()
	for p.word("OR") {
		a, b := c.holds, p.conjunction().holds
		c = condition{holds: func(i Item) bool { return a(i) || b(i) }}
	}
	return c
}

func (p *parser) conjunction() condition {
	c := p.negation()
	for p.word("AND") {
		a, b := c, p.negation()
		c = condition{holds: func(i Item) bool { return a.holds(i) && b.holds(i) }, equals: Item{}}
		for _, side := range []condition{a, b} {
			for name, v := range side.equals {
				c.equals[name] = v
			}
		}
	}
	return c
}

func (p *parser) negation() condition {
	if p.word("NOT") {
		c := p.negation().holds
		return condition{holds: func(i Item) bool { return !c(i) }}
	}
	if p.punct("(") {
		c := p.condition()
		p.must(")")
		return c
	}
	if f := p.predicate(); f != nil {
		return condition{holds: f}
	}
	return p.comparison()
}

// predicate reads a function that is true or false, if one stands here.
func (p *parser) predicate() func(Item) bool {
	switch {
	case p.function("attribute_exists"):
		at := p.path()
		p.must(")")
		return func(i Item) bool { return i.at(at) != nil }
	case p.function("attribute_not_exists"):
		at := p.path()
		p.must(")")
		return func(i Item) bool { return i.at(at) == nil }
	}
	for name, test := range map[string]func(a, b Value) bool{
		"attribute_type": func(a, b Value) bool { return b.S != nil && a.kind() == *b.S },
		"begins_with":    beginsWith,
		"contains":       contains,
	} {
		if p.function(name) {
			a, _, _ := p.operand()
			p.must(",")
			b, _, _ := p.operand()
			p.must(")")
			return func(i Item) bool {
				x, y := a(i), b(i)
				return x != nil && y != nil && test(*x, *y)
			}
		}
	}
	return nil
}

func beginsWith(a, b Value) bool {
	switch {
	case a.S != nil && b.S != nil:
		return strings.HasPrefix(*a.S, *b.S)
	case a.B != nil && b.B != nil:
		return bytes.HasPrefix(*a.B, *b.B)
	}
	return false
}

func contains(a, b Value) bool {
	switch {
	case a.S != nil && b.S != nil:
		return strings.Contains(*a.S, *b.S)
	case a.L != nil:
		for _, e := range *a.L {
			if equal(e, b) {
				return true
			}
		}
	}
	for _, e := range a.SS {
		if b.S != nil && *b.S == e {
			return true
		}
	}
	return false
}

// comparison reads operand comparator operand, BETWEEN, IN and IS.
func (p *parser) comparison() condition {
	a, at, _ := p.operand()
	if p.partiql && p.word("IS") {
		not := p.word("NOT")
		if p.word("NULL") {
			return condition{holds: func(i Item) bool { v := a(i); return (v != nil && v.NULL != nil) != not }}
		}
		p.mustWord("MISSING")
		return condition{holds: func(i Item) bool { return (a(i) == nil) != not }}
	}
	if p.word("BETWEEN") {
		low, _, _ := p.operand()
		p.mustWord("AND")
		high, _, _ := p.operand()
		return condition{holds: func(i Item) bool { return ordered(low(i), a(i)) && ordered(a(i), high(i)) }}
	}
	if p.word("IN") {
		return condition{holds: p.in(a)}
	}
	op := p.peek()
	holds, ok := comparator(op.text, p.partiql)
	if op.kind != tokPunct || !ok {
		p.syntax()
	}
	p.at++
	b, _, constant := p.operand()
	c := condition{holds: func(i Item) bool {
		x, y := a(i), b(i)
		return x != nil && y != nil && holds(*x, *y)
	}}
	if op.text == "=" && len(at) == 1 && constant != nil {
		c.equals = Item{at[0].name: *constant}
	}
	return c
}

func (p *parser) in(a operand) func(Item) bool {
	closing := ")"
	if p.partiql && p.punct("[") {
		closing = "]"
	} else {
		p.must("(")
	}
	var list []operand
	for {
		e, _, _ := p.operand()
		list = append(list, e)
		if !p.punct(",") {
			break
		}
	}
	p.must(closing)
	return func(i Item) bool {
		for _, e := range list {
			if x, y := a(i), e(i); x != nil && y != nil && equal(*x, *y) {
				return true
			}
		}
		return false
	}
}

func ordered(a, b *Value) bool {
	if a == nil || b == nil {
		return false
	}
	c, ok := compare(*a, *b)
	return ok && c <= 0
}

func comparator(op string, partiql bool) (func(a, b Value) bool, bool) {
	by := func(holds func(c int) bool) func(a, b Value) bool {
		return func(a, b Value) bool {
			c, ok := compare(a, b)
			return ok && holds(c)
		}
	}
	switch op {
	case "=":
		return equal, true
	case "<>":
		return func(a, b Value) bool { return !equal(a, b) }, true
	case "!=":
		return func(a, b Value) bool { return !equal(a, b) }, partiql
	case "<":
		return by(func(c int) bool { return c < 0 }), true
	case "<=":
		return by(func(c int) bool { return c <= 0 }), true
	case ">":
		return by(func(c int) bool { return c > 0 }), true
	case ">=":
		return by(func(c int) bool { return c >= 0 }), true
	}
	return nil, false
}
