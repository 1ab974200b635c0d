// Package jsonfault damages JSON for tests: every text that a sample becomes
// when it is cut off somewhere, or when one of its values is missing, null,
// empty or of another type.
package jsonfault

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Fault is a text with one fault.
type Fault struct {
	Path string // JSON Pointer to the value, or "" where the text was cut off
	What string // "cut off at 17", "removed", "twice" or the value that stands there instead
	Body []byte
}

// All yields every fault of a text, which must be valid JSON.
func All(body []byte) iter.Seq[Fault] {
	body = bytes.TrimSpace(body)
	return func(yield func(Fault) bool) {
		for n := range body {
			if !yield(Fault{What: fmt.Sprintf("cut off at %d", n), Body: bytes.Clone(body[:n])}) {
				return
			}
		}
		for _, s := range spansOf(body) {
			for what, text := range s.faults(body) {
				if !yield(Fault{Path: s.path, What: what, Body: text}) {
					return
				}
			}
		}
	}
}

// span is where a value stands in a text, with its name where it has one.
type span struct {
	path             string
	name, start, end int // name is start for elements of an array
	member, top      bool
}

// faults yields what the text becomes when this value is damaged.
func (s span) faults(body []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		value := body[s.start:s.end]
		for _, other := range []string{"null", "true", "7", `""`, `"text"`, "[]", "{}", "[null]"} {
			if sameType(value, other) && other != `""` && other != "[]" && other != "{}" || other == string(value) {
				continue
			}
			if !yield(other, slices.Concat(body[:s.start], []byte(other), body[s.end:])) {
				return
			}
		}
		if s.top {
			return
		}
		if s.member && !yield("twice", slices.Concat(body[:s.end], []byte(","), body[s.name:])) {
			return
		}
		yield("removed", s.without(body))
	}
}

// sameType reports whether two values are of one type.
func sameType(a []byte, b string) bool {
	return jsontext.Value(a).Kind() == jsontext.Value(b).Kind()
}

// without returns the text without the value and one comma beside it.
func (s span) without(body []byte) []byte {
	before, after := body[:s.name], bytes.TrimLeft(body[s.end:], " \t\r\n")
	if rest, ok := bytes.CutPrefix(after, []byte(",")); ok {
		after = rest
	} else {
		before = bytes.TrimSuffix(bytes.TrimRight(before, " \t\r\n"), []byte(","))
	}
	return slices.Concat(before, after)
}

// spansOf returns all values of a text.
func spansOf(body []byte) []span {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))
	var all []span
	var open []int // objects and arrays around, as places in all
	name := -1
	for {
		kind := dec.PeekKind()
		inObject, n := dec.StackIndex(dec.StackDepth())
		isName := inObject == jsontext.KindBeginObject && n%2 == 0 && kind == jsontext.KindString
		token, err := dec.ReadToken()
		if err != nil {
			return all
		}
		end := int(dec.InputOffset())
		if kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
			all[open[len(open)-1]].end = end
			open = open[:len(open)-1]
			continue
		}
		start := startOf(body, end, token)
		if isName {
			name = start
			continue
		}
		s := span{path: string(dec.StackPointer()), name: start, start: start, end: end, top: len(open) == 0}
		if name >= 0 {
			s.name, s.member, name = name, true, -1
		}
		all = append(all, s)
		if kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
			open = append(open, len(all)-1)
		}
	}
}

// startOf returns where a token that ends there begins.
func startOf(body []byte, end int, token jsontext.Token) int {
	switch token.Kind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		return end - 1
	case jsontext.KindString:
		start := end - 1
		for start--; body[start] != '"' || escaped(body, start); start-- {
		}
		return start
	default:
		return end - len(token.String())
	}
}

// escaped reports whether an odd number of backslashes stands before a byte.
func escaped(body []byte, at int) bool {
	n := 0
	for at-n > 0 && body[at-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}
