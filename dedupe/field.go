package dedupe

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Field returns a KeyFunc that reads the body as JSON and writes the values at
// the given JSON Pointers (RFC 6901: "/order_id", "/items/0/sku"; "~1" stands
// for a slash in a name, "~0" for a tilde), in the order given.
//
// The whole body is read once, and strictly: a member that occurs twice in one
// object, invalid UTF-8 or data behind the value fail the record wherever they
// are, since two readers could see two different bodies. So does a value that
// is missing, null or an empty string ([ErrNoKey]), or an object or an array
// ([ErrNotScalar]). Member names are compared exactly.
//
// Strings are compared as they are after their escapes, numbers as they are
// spelled: 1, 1.0, 1e0 and "1" are four different keys, and integers of any
// length keep every digit. A producer that spells one number in two ways
// should send a string.
//
// Field panics when there is no pointer, one is malformed or given twice, or
// one leads through the value of another.
func Field(pointers ...string) KeyFunc {
	if len(pointers) == 0 {
		panic("dedupe: Field needs a JSON Pointer")
	}
	root := newFieldNode()
	names := make([]string, len(pointers))
	for i, p := range pointers {
		root.add(p, i)
		names[i] = strconv.Quote(p)
	}
	return func(w *KeyWriter, rec *consumer.Record) error {
		values, err := w.scan.find(root, rec.Body, len(names))
		if err != nil {
			return err
		}
		for i, v := range values {
			if err := w.value(v); err != nil {
				return &KeyError{Part: names[i], Err: err}
			}
		}
		return nil
	}
}

// value writes a JSON value given as it stands in the body, nil for none.
func (w *KeyWriter) value(raw []byte) error {
	switch jsontext.Value(raw).Kind() {
	case jsontext.KindInvalid, jsontext.KindNull:
		return ErrNoKey
	case jsontext.KindTrue, jsontext.KindFalse:
		put(w, tagBool, raw)
	case jsontext.KindNumber:
		put(w, tagNumber, raw)
	case jsontext.KindString:
		text := unquote(&w.scratch, raw)
		if len(text) == 0 {
			return ErrNoKey
		}
		put(w, tagString, text)
	default:
		return ErrNotScalar
	}
	return nil
}

// fieldNode is one step of the pointers that are looked for. A node is either
// inner or a leaf: what is a scalar has nothing below it.
type fieldNode struct {
	name string // as a member
	elem int    // as an element, -1 when the name is no index
	leaf int    // which pointer ends here, -1 for none
	next []*fieldNode
}

func newFieldNode() *fieldNode { return &fieldNode{elem: -1, leaf: -1} }

// add enters pointer number i below the root n.
func (n *fieldNode) add(pointer string, i int) {
	if !jsontext.Pointer(pointer).IsValid() {
		panic(fmt.Sprintf("dedupe: Field: %q is not a JSON Pointer such as \"/order_id\"", pointer))
	}
	for name := range jsontext.Pointer(pointer).Tokens() {
		if n.leaf >= 0 {
			panic(fmt.Sprintf("dedupe: Field: %q leads through the value of another pointer", pointer))
		}
		n = n.child(name)
	}
	if n.leaf >= 0 {
		panic(fmt.Sprintf("dedupe: Field: %q is given twice", pointer))
	}
	if len(n.next) > 0 {
		panic(fmt.Sprintf("dedupe: Field: another pointer leads through the value of %q", pointer))
	}
	n.leaf = i
}

// child returns the node below n of that name and makes it if need be.
func (n *fieldNode) child(name string) *fieldNode {
	for _, c := range n.next {
		if c.name == name {
			return c
		}
	}
	c := newFieldNode()
	c.name = name
	// RFC 6901, section 4: an index has no leading zeros and no sign.
	if i, err := strconv.Atoi(name); err == nil && strconv.Itoa(i) == name && i >= 0 {
		c.elem = i
	}
	n.next = append(n.next, c)
	return c
}

// member returns the node for a member's name, nil when none is looked for.
func (n *fieldNode) member(name []byte) *fieldNode {
	for _, c := range n.next {
		if c.name == string(name) {
			return c
		}
	}
	return nil
}

// element returns the node for an array's element, nil when none is looked for.
func (n *fieldNode) element(i int) *fieldNode {
	for _, c := range n.next {
		if c.elem == i {
			return c
		}
	}
	return nil
}
