package powertools

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// writer writes JSON values as one of the libraries does before it hashes
// them.
type writer struct {
	comma, colon string
	quote        func(dst []byte, s string) []byte
	number       func(dst []byte, literal string) ([]byte, error)
	order        func(members []member) error
}

// member is a member of an object: its name, and its value as written.
type member struct {
	name  string
	value []byte
}

func (l Library) writer() writer {
	switch l {
	case Python: // json.dumps(data, sort_keys=True)
		return writer{", ", ": ", quotePython, numberPython, orderPython}
	case TypeScript: // JSON.stringify(deepSort(data))
		return writer{",", ":", quoteTypeScript, numberTypeScript, orderTypeScript}
	default: // JsonNode.toString() of a list; a scalar is hashed as its bare text
		return writer{",", ":", quoteJava, numberJava, orderJava}
	}
}

// text is the text of a JSON value that the library hashes.
func (l Library) text(value []byte) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	w := l.writer()
	if l == Java && dec.PeekKind() == jsontext.KindString {
		w.quote = func(dst []byte, s string) []byte { return append(dst, s...) }
	}
	text, err := w.value(dec, nil)
	if err != nil {
		return nil, err
	}
	if err := end(dec); err != nil {
		return nil, fmt.Errorf("%w: %w", dedupe.ErrNotJSON, err)
	}
	return text, nil
}

// maxDepth is below what Python's reader stands.
const maxDepth = 500

// value reads the next value and appends it to dst.
func (w *writer) value(dec *jsontext.Decoder, dst []byte) ([]byte, error) {
	t, err := dec.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dedupe.ErrNotJSON, err)
	}
	if dec.StackDepth() > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrNotPortable, maxDepth)
	}
	switch t.Kind() {
	case jsontext.KindString:
		return w.quote(dst, t.String()), nil
	case jsontext.KindNumber:
		return w.number(dst, t.String())
	case jsontext.KindBeginArray:
		return w.array(dec, dst)
	case jsontext.KindBeginObject:
		return w.object(dec, dst)
	default: // null, true, false
		return append(dst, t.String()...), nil
	}
}

func (w *writer) array(dec *jsontext.Decoder, dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i := 0; dec.PeekKind() != jsontext.KindEndArray; i++ {
		if i > 0 {
			dst = append(dst, w.comma...)
		}
		var err error
		if dst, err = w.value(dec, dst); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return append(dst, ']'), err
}

func (w *writer) object(dec *jsontext.Decoder, dst []byte) ([]byte, error) {
	var members []member
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", dedupe.ErrNotJSON, err)
		}
		m := member{name: name.String()}
		if m.value, err = w.value(dec, nil); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if err := w.order(members); err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, w.comma...)
		}
		dst = append(w.quote(dst, m.name), w.colon...)
		dst = append(dst, m.value...)
	}
	return append(dst, '}'), nil
}

// orderPython sorts by code points, as the bytes of UTF-8 do.
func orderPython(members []member) error {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return nil
}

// orderTypeScript sorts by the name in lower case. Names that then are equal
// keep an order that depends on the engine; an object of JavaScript moves
// array indexes to its front and has its own idea of __proto__; and lower case
// beyond ASCII depends on the version of Unicode.
func orderTypeScript(members []member) error {
	slices.SortFunc(members, func(a, b member) int {
		return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	for i, m := range members {
		_, notIndex := strconv.ParseUint(m.name, 10, 64)
		switch {
		case strings.ContainsFunc(m.name, func(r rune) bool { return r >= utf8.RuneSelf }),
			i > 0 && strings.EqualFold(m.name, members[i-1].name),
			m.name == "__proto__",
			notIndex == nil:
			return fmt.Errorf("%w: an object with the member %q", ErrNotPortable, m.name)
		}
	}
	return nil
}

// orderJava knows no order: the members stand as in the message, or as in the
// class that it was read into.
func orderJava(members []member) error {
	if len(members) > 1 {
		return fmt.Errorf("%w: an object", ErrNotPortable)
	}
	return nil
}
