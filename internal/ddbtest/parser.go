package ddbtest

import (
	"slices"
	"strconv"
	"strings"
)

// parser reads expressions and PartiQL statements. What is wrong ends it by
// a panic with an [*Error], which the request recovers.
type parser struct {
	what    string // names the expression in errors
	toks    []token
	at      int
	partiql bool

	names  map[string]string // #name
	values map[string]Value  // :name
	used   map[string]bool   // of both
	params []Value           // ?, those that are left
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) syntax() {
	near := p.peek().text
	if p.partiql {
		fail("ValidationException", "Statement wasn't well formed, can't be processed: unexpected %q", near)
	}
	fail("ValidationException", "Invalid %s: Syntax error; token: %q", p.what, near)
}

// word takes the next token when it is that keyword.
func (p *parser) word(keyword string) bool {
	if t := p.peek(); t.kind == tokWord && strings.EqualFold(t.text, keyword) {
		p.at++
		return true
	}
	return false
}

func (p *parser) punct(s string) bool {
	if t := p.peek(); t.kind == tokPunct && t.text == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) mustWord(keyword string) {
	if !p.word(keyword) {
		p.syntax()
	}
}

func (p *parser) must(s string) {
	if !p.punct(s) {
		p.syntax()
	}
}

func (p *parser) end() {
	p.punct(";")
	if p.peek().kind != tokEnd {
		p.syntax()
	}
}

// name reads one part of a path.
func (p *parser) name() string {
	t := p.peek()
	switch {
	case t.kind == tokWord:
		p.at++
		if reserved(t.text) {
			fail("ValidationException", "Invalid %s: Attribute name is a reserved keyword; reserved keyword: %s", p.what, t.text)
		}
		return t.text
	case t.kind == tokQuoted && p.partiql:
		p.at++
		return t.text
	case t.kind == tokAlias && !p.partiql:
		name, ok := p.names[t.text]
		if !ok {
			fail("ValidationException", "Invalid %s: An expression attribute name used in the document path is not defined; attribute name: %s", p.what, t.text)
		}
		p.at++
		p.used[t.text] = true
		return name
	}
	p.syntax()
	return ""
}

// path is where in an item a value is: names and, negative less one, indexes.
type path []step

type step struct {
	name  string
	index int // when name is empty
}

func (p *parser) path() path {
	out := path{{name: p.name()}}
	for {
		switch {
		case p.punct("."):
			out = append(out, step{name: p.name()})
		case p.punct("["):
			t := p.next()
			n, err := strconv.Atoi(t.text)
			if t.kind != tokNumber || err != nil {
				p.syntax()
			}
			p.must("]")
			out = append(out, step{index: n})
		default:
			return out
		}
	}
}

// operand is a path, a constant or a function of them. It gives nil when
// there is no such attribute.
type operand func(Item) *Value

// literal reads a constant, if one stands here.
func (p *parser) literal() (Value, bool) {
	t := p.peek()
	switch {
	case t.kind == tokValue && !p.partiql:
		p.at++
		v, ok := p.values[t.text]
		if !ok {
			fail("ValidationException", "Invalid %s: An expression attribute value used in expression is not defined; attribute value: %s", p.what, t.text)
		}
		p.used[t.text] = true
		return v, true
	case !p.partiql:
		return Value{}, false
	case p.punct("?"):
		if len(p.params) == 0 {
			fail("ValidationException", "Number of parameters in request and statement don't match.")
		}
		v := p.params[0]
		p.params = p.params[1:]
		return v, true
	case t.kind == tokText:
		p.at++
		return text(t.text), true
	case t.kind == tokNumber:
		p.at++
		return Value{N: &t.text}, true
	case t.kind == tokPunct && t.text == "-" && p.toks[p.at+1].kind == tokNumber:
		s := "-" + p.toks[p.at+1].text
		p.at += 2
		return Value{N: &s}, true
	case p.word("TRUE"):
		yes := true
		return Value{BOOL: &yes}, true
	case p.word("FALSE"):
		no := false
		return Value{BOOL: &no}, true
	case p.word("NULL"):
		null := true
		return Value{NULL: &null}, true
	case p.punct("{"):
		return Value{M: p.tuple()}, true
	case p.punct("["):
		list := []Value{}
		for !p.punct("]") {
			list = append(list, p.constant())
			if !p.punct(",") && p.peek().text != "]" {
				p.syntax()
			}
		}
		return Value{L: &list}, true
	}
	return Value{}, false
}

func (p *parser) constant() Value {
	v, ok := p.literal()
	if !ok {
		p.syntax()
	}
	return v
}

// tuple reads what follows the brace of {'name': value, ...}.
func (p *parser) tuple() map[string]Value {
	out := map[string]Value{}
	for !p.punct("}") {
		t := p.peek()
		if t.kind != tokText {
			p.syntax()
		}
		p.at++
		p.must(":")
		if _, double := out[t.text]; double {
			fail("ValidationException", "Attribute %q stands twice in the tuple", t.text)
		}
		out[t.text] = p.constant()
		if !p.punct(",") && p.peek().text != "}" {
			p.syntax()
		}
	}
	return out
}

// operand reads a path, a constant or size(path).
func (p *parser) operand() (operand, path, *Value) {
	if v, ok := p.literal(); ok {
		return func(Item) *Value { return &v }, nil, &v
	}
	if p.function("size") {
		of := p.path()
		p.must(")")
		return func(i Item) *Value { return size(i.at(of)) }, nil, nil
	}
	at := p.path()
	return func(i Item) *Value { return i.at(at) }, at, nil
}

// function takes a function's name and parenthesis. Names of functions are
// case sensitive in expressions and not in PartiQL.
func (p *parser) function(name string) bool {
	t := p.peek()
	if t.kind != tokWord || p.toks[p.at+1].text != "(" || t.text != name && (!p.partiql || !strings.EqualFold(t.text, name)) {
		return false
	}
	p.at += 2
	return true
}

func size(v *Value) *Value {
	if v == nil {
		return nil
	}
	n := v.size()
	switch v.kind() {
	case "M":
		n = len(v.M)
	case "L":
		n = len(*v.L)
	case "SS", "NS", "BS":
		n = len(v.SS) + len(v.NS) + len(v.BS)
	case "S", "B":
	default:
		return nil
	}
	s := strconv.Itoa(n)
	return &Value{N: &s}
}

// at returns the value at a path, nil when there is none.
func (i Item) at(p path) *Value {
	v := Value{M: i}
	for _, s := range p {
		switch {
		case s.name != "" && v.M != nil:
			e, ok := v.M[s.name]
			if !ok {
				return nil
			}
			v = e
		case s.name == "" && v.L != nil && s.index < len(*v.L):
			v = (*v.L)[s.index]
		default:
			return nil
		}
	}
	return &v
}

// reserved tells whether an expression must alias or quote the word.
func reserved(word string) bool {
	_, found := slices.BinarySearch(strings.Fields(reservedWords), strings.ToUpper(word))
	return found
}
