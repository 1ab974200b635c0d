package ddbtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Value is an attribute value as it is on the wire.
type Value struct {
	S    *string          `json:"S,omitempty"`
	N    *string          `json:"N,omitempty"`
	B    *[]byte          `json:"B,omitempty"`
	BOOL *bool            `json:"BOOL,omitempty"`
	NULL *bool            `json:"NULL,omitempty"`
	M    map[string]Value `json:"M,omitempty"`
	L    *[]Value         `json:"L,omitempty"`
	SS   []string         `json:"SS,omitempty"`
	NS   []string         `json:"NS,omitempty"`
	BS   [][]byte         `json:"BS,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: a map without members is one.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.M != nil && len(v.M) == 0 {
		return []byte(`{"M":{}}`), nil
	}
	type plain Value
	return json.Marshal(plain(v))
}

// Item is the attributes of an item by name.
type Item map[string]Value

func text(s string) Value { return Value{S: &s} }

// kind is the name of the value's type, empty when it has not exactly one.
func (v Value) kind() string {
	found, n := "", 0
	for _, t := range []struct {
		name string
		is   bool
	}{
		{"S", v.S != nil}, {"N", v.N != nil}, {"B", v.B != nil}, {"BOOL", v.BOOL != nil}, {"NULL", v.NULL != nil},
		{"M", v.M != nil}, {"L", v.L != nil}, {"SS", v.SS != nil}, {"NS", v.NS != nil}, {"BS", v.BS != nil},
	} {
		if t.is {
			found = t.name
			n++
		}
	}
	if n != 1 {
		return ""
	}
	return found
}

// check fails on a value, of that name, that DynamoDB does not have, and on one
// with such a value in it.
func (v Value) check(name string) {
	if v.kind() == "" {
		fail("ValidationException", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes: %s", name)
	}
	numbers := v.NS
	if v.N != nil {
		numbers = []string{*v.N}
	}
	for _, n := range numbers {
		if !isDecimal(n) {
			fail("ValidationException", "The parameter cannot be converted to a numeric value: %s", n)
		}
	}
	for inner, e := range v.M {
		e.check(inner)
	}
	if v.L != nil {
		for _, e := range *v.L {
			e.check(name)
		}
	}
}

// size is what the value counts in an item.
func (v Value) size() int {
	switch v.kind() {
	case "S":
		return len(*v.S)
	case "N":
		return (len(strings.TrimLeft(*v.N, "-"))+1)/2 + 1
	case "B":
		return len(*v.B)
	case "BOOL", "NULL":
		return 1
	case "M":
		return 3 + len(v.M) + Item(v.M).size()
	case "L":
		n := 3
		for _, e := range *v.L {
			n += 1 + e.size()
		}
		return n
	}
	n := 0
	for _, s := range v.SS {
		n += len(s)
	}
	for _, s := range v.NS {
		n += Value{N: &s}.size()
	}
	for _, b := range v.BS {
		n += len(b)
	}
	return n
}

func (i Item) size() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.size()
	}
	return n
}

// clone copies the item so far as update expressions change it.
func (i Item) clone() Item {
	out := make(Item, len(i))
	for name, v := range i {
		out[name] = v.clone()
	}
	return out
}

func (v Value) clone() Value {
	if v.M != nil {
		v.M = Item(v.M).clone()
	}
	if v.L != nil {
		l := make([]Value, len(*v.L))
		for i, e := range *v.L {
			l[i] = e.clone()
		}
		v.L = &l
	}
	return v
}

func equal(a, b Value) bool {
	if a.kind() != b.kind() {
		return false
	}
	switch a.kind() {
	case "M":
		return maps.EqualFunc(a.M, b.M, equal)
	case "L":
		return slices.EqualFunc(*a.L, *b.L, equal)
	case "BOOL":
		return *a.BOOL == *b.BOOL
	case "NULL":
		return true
	case "SS":
		return sameSet(a.SS, b.SS)
	case "NS":
		return sameSet(a.NS, b.NS)
	case "BS":
		return slices.EqualFunc(a.BS, b.BS, bytes.Equal)
	}
	c, ok := compare(a, b)
	return ok && c == 0
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// compare orders two strings, numbers or binaries.
func compare(a, b Value) (int, bool) {
	switch {
	case a.S != nil && b.S != nil:
		return cmp.Compare(*a.S, *b.S), true
	case a.B != nil && b.B != nil:
		return bytes.Compare(*a.B, *b.B), true
	}
	x, ok := a.rat()
	y, also := b.rat()
	if !ok || !also {
		return 0, false
	}
	return x.Cmp(y), true
}
