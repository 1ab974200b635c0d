package dedupe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner finds values in JSON bodies, one body after another with the same
// memory.
type scanner struct {
	dec    *jsontext.Decoder
	src    bytes.Buffer // jsontext reads from a Buffer without copying it
	body   []byte
	values [][]byte
	name   []byte
}

// find reads all of body and returns the n values that root's leaves name, as
// they stand in body; nil for one that is not there. They are valid until the
// next call.
func (s *scanner) find(root *fieldNode, body []byte, n int) ([][]byte, error) {
	s.body = body
	s.src = *bytes.NewBuffer(body)
	if s.dec == nil {
		s.dec = jsontext.NewDecoder(&s.src)
	} else {
		s.dec.Reset(&s.src)
	}
	s.values = s.values[:0]
	for range n {
		s.values = append(s.values, nil)
	}
	if err := s.walk(root); err != nil {
		return nil, s.fail(err)
	}
	if _, err := s.dec.ReadToken(); err == nil {
		return nil, s.fail(errors.New("data behind the value"))
	} else if !errors.Is(err, io.EOF) {
		return nil, s.fail(err)
	}
	return s.values, nil
}

// walk reads the next value. n is nil for a value in which nothing is looked
// for: that is read, for its errors, and passed over.
func (s *scanner) walk(n *fieldNode) error {
	if n == nil || n.leaf >= 0 {
		v, err := s.dec.ReadValue()
		if err == nil && n != nil {
			end := int(s.dec.InputOffset())
			s.values[n.leaf] = s.body[end-len(v) : end]
		}
		return err
	}
	kind := s.dec.PeekKind()
	if kind == jsontext.KindBeginObject {
		return s.object(n)
	}
	if kind == jsontext.KindBeginArray {
		return s.array(n)
	}
	_, err := s.dec.ReadValue() // a scalar: the pointer leads nowhere
	return err
}

func (s *scanner) object(n *fieldNode) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() != jsontext.KindEndObject {
		name, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := s.walk(n.member(unquote(&s.name, name))); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

func (s *scanner) array(n *fieldNode) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; s.dec.PeekKind() != jsontext.KindEndArray; i++ {
		if err := s.walk(n.element(i)); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// fail says which kind of bad body it was. jsontext tells only the duplicate
// apart by an error value.
func (s *scanner) fail(err error) error {
	kind := ErrNotJSON
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		kind = ErrDuplicateMember
	case !utf8.Valid(s.body):
		kind = ErrInvalidUTF8
	}
	return &KeyError{Part: "body", Err: fmt.Errorf("%w: %w", kind, err)}
}

// unquote returns the text of a JSON string that was found to be valid, in
// place where nothing is escaped, else in *scratch.
func unquote(scratch *[]byte, raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	*scratch, _ = jsontext.AppendUnquote((*scratch)[:0], raw)
	return *scratch
}
