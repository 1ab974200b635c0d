package ddbtest

import (
	"math/big"
	"slices"
)

// change is a parsed update: it works on a copy of the item, and reads what
// it needs from the item as it was.
type change struct {
	apply []func(was, item Item)
	paths []path
}

func (c *change) add(at path, f func(was, item Item)) {
	for _, other := range c.paths {
		if len(at) == len(other) && slices.Equal(at, other) {
			fail("ValidationException", "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths")
		}
	}
	c.paths = append(c.paths, at)
	c.apply = append(c.apply, f)
}

// update reads an update expression.
func (p *parser) update() *change {
	c := &change{}
	seen := map[string]bool{}
	for p.peek().kind != tokEnd {
		clause := ""
		for _, name := range []string{"SET", "REMOVE", "ADD", "DELETE"} {
			if p.word(name) {
				clause = name
			}
		}
		if clause == "" || seen[clause] {
			p.syntax()
		}
		seen[clause] = true
		for {
			p.action(c, clause)
			if !p.punct(",") {
				break
			}
		}
	}
	if len(c.apply) == 0 {
		p.syntax()
	}
	return c
}

// action reads one action of a clause.
func (p *parser) action(c *change, clause string) {
	at := p.path()
	switch clause {
	case "SET":
		p.must("=")
		v := p.assigned()
		c.add(at, func(was, item Item) { item.set(at, v(was)) })
	case "REMOVE":
		c.add(at, func(_, item Item) { item.remove(at) })
	default:
		v := p.constant()
		if v.N == nil && v.SS == nil || clause == "DELETE" && v.SS == nil {
			fail("ValidationException", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: %s", clause)
		}
		c.add(at, func(was, item Item) { item.addTo(at, v, was.at(at), clause == "DELETE") })
	}
}

// assigned reads what SET assigns: operand, operand + operand or
// operand - operand.
func (p *parser) assigned() func(Item) Value {
	a := p.assignable()
	sign := int64(0)
	switch {
	case p.punct("+"):
		sign = 1
	case p.punct("-"):
		sign = -1
	}
	if sign == 0 {
		return func(i Item) Value { return mustHave(a(i)) }
	}
	b := p.assignable()
	return func(i Item) Value {
		x, ok := mustHave(a(i)).rat()
		y, also := mustHave(b(i)).rat()
		if !ok || !also {
			fail("ValidationException", "An operand in the update expression has an incorrect data type")
		}
		return number(x.Add(x, y.Mul(y, big.NewRat(sign, 1))))
	}
}

func mustHave(v *Value) Value {
	if v == nil {
		fail("ValidationException", "The provided expression refers to an attribute that does not exist in the item")
	}
	return *v
}

func (p *parser) assignable() operand {
	switch {
	case p.function("if_not_exists"):
		at := p.path()
		p.must(",")
		otherwise := p.assignable()
		p.must(")")
		return func(i Item) *Value {
			if v := i.at(at); v != nil {
				return v
			}
			return otherwise(i)
		}
	case p.function("list_append"):
		a := p.assignable()
		p.must(",")
		b := p.assignable()
		p.must(")")
		return func(i Item) *Value {
			x, y := mustHave(a(i)), mustHave(b(i))
			if x.L == nil || y.L == nil {
				fail("ValidationException", "An operand in the update expression has an incorrect data type")
			}
			list := slices.Concat(*x.L, *y.L)
			return &Value{L: &list}
		}
	}
	o, _, _ := p.operand()
	return o
}

// parent returns the value that holds the last step of a path.
func (i Item) parent(at path) Value {
	v := i.at(at[:len(at)-1])
	if v == nil || at[len(at)-1].name != "" && v.M == nil || at[len(at)-1].name == "" && v.L == nil {
		fail("ValidationException", "The document path provided in the update expression is invalid for update")
		return Value{}
	}
	return *v
}

func (i Item) set(at path, v Value) {
	in, last := i.parent(at), at[len(at)-1]
	switch {
	case last.name != "":
		in.M[last.name] = v
	case last.index < len(*in.L):
		(*in.L)[last.index] = v
	default:
		*in.L = append(*in.L, v)
	}
}

func (i Item) remove(at path) {
	in, last := i.parent(at), at[len(at)-1]
	switch {
	case last.name != "":
		delete(in.M, last.name)
	case last.index < len(*in.L):
		*in.L = slices.Delete(*in.L, last.index, last.index+1)
	}
}

// addTo adds a number to a number, or strings to a set or takes them out.
func (i Item) addTo(at path, v Value, old *Value, take bool) {
	switch {
	case old == nil && take:
	case old == nil:
		i.set(at, v)
	case old.N != nil && v.N != nil:
		x, _ := old.rat()
		y, _ := v.rat()
		i.set(at, number(x.Add(x, y)))
	case old.SS != nil && v.SS != nil:
		set := slices.DeleteFunc(slices.Clone(old.SS), func(s string) bool { return slices.Contains(v.SS, s) })
		if !take {
			set = append(set, v.SS...)
		}
		if len(set) == 0 {
			i.remove(at)
		} else {
			i.set(at, Value{SS: set})
		}
	default:
		fail("ValidationException", "An operand in the update expression has an incorrect data type")
	}
}
