package sources

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const eventBridge = "EventBridge"

// reader reads the members of one envelope. It is strict about the envelope
// itself and takes the values inside as they are, as long as they are JSON: a
// duplicate or half a surrogate pair deep in a payload is the business of
// whoever reads the payload, and must not keep a record from being read that
// is identified by its envelope.
type reader struct {
	envelope string
	body     []byte
	dec      *jsontext.Decoder
	others   map[string]struct{} // names seen that nobody asked for
	scratch  []byte
}

// member says what a member must be and where it goes.
type member struct {
	name     string
	text     *string // for a string that is not empty
	object   *[]byte // for an object: its bytes as they stand in the body
	required bool
}

// read reads the whole body, which must be one object, and sets members.
func (r *reader) read(members ...member) error {
	r.dec = jsontext.NewDecoder(bytes.NewBuffer(r.body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		_, err := r.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			err = errEmpty
		}
		return r.syntax(err)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	seen := make([]bool, len(members))
	for r.dec.PeekKind() != jsontext.KindEndObject {
		if err := r.member(members, seen); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(err)
	}
	switch _, err := r.dec.ReadToken(); {
	case err == nil:
		return r.syntax(errors.New("data behind the object"))
	case !errors.Is(err, io.EOF):
		return r.syntax(err)
	}
	for i, m := range members {
		if m.required && !seen[i] {
			return r.fail(m.name, ErrNoMember)
		}
	}
	return nil
}

// member reads one name with its value.
func (r *reader) member(members []member, seen []bool) error {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return r.syntax(err)
	}
	name, err := r.unquote(raw)
	if err != nil {
		return r.syntax(err)
	}
	i := 0
	for i < len(members) && members[i].name != string(name) {
		i++
	}
	if i == len(members) {
		if _, dup := r.others[string(name)]; dup {
			return r.fail(string(name), ErrDuplicateMember)
		}
		if r.others == nil {
			r.others = make(map[string]struct{})
		}
		r.others[string(name)] = struct{}{}
		if _, err := r.dec.ReadValue(); err != nil {
			return r.syntax(err)
		}
		return nil
	}
	if seen[i] {
		return r.fail(members[i].name, ErrDuplicateMember)
	}
	seen[i] = true
	value, err := r.dec.ReadValue()
	if err != nil {
		return r.syntax(err)
	}
	return r.set(members[i], value)
}

// set puts a member's value where it goes.
func (r *reader) set(m member, value jsontext.Value) error {
	if m.object != nil {
		if value.Kind() != jsontext.KindBeginObject {
			return r.bad(m.name, "want an object")
		}
		end := int(r.dec.InputOffset())
		*m.object = r.body[end-len(value) : end : end]
		return nil
	}
	if value.Kind() != jsontext.KindString {
		return r.bad(m.name, "want a string")
	}
	text, err := r.unquote(value)
	switch {
	case err != nil:
		return r.fail(m.name, fmt.Errorf("%w: %w", ErrBadMember, err))
	case len(text) == 0:
		return r.bad(m.name, "want a string that is not empty")
	}
	*m.text = string(text)
	return nil
}

// unquote returns the text of a string, valid until the next call.
func (r *reader) unquote(raw []byte) (text []byte, err error) {
	r.scratch, err = jsontext.AppendUnquote(r.scratch[:0], raw)
	return r.scratch, err
}

// bad is the failure of a member's value; want says what it has to be.
func (r *reader) bad(name, want string) error {
	return r.fail(name, fmt.Errorf("%w: %s", ErrBadMember, want))
}

// errEmpty says more than io.EOF does.
var errEmpty = errors.New("body is empty")

// syntax is the failure of a body that is no object at all. err is nil where
// it is some other JSON value.
func (r *reader) syntax(err error) error {
	if err == nil {
		return r.fail("", ErrNotEnvelope)
	}
	return r.fail("", fmt.Errorf("%w: %w", ErrNotEnvelope, err))
}

func (r *reader) fail(name string, err error) error {
	return &EnvelopeError{Envelope: r.envelope, Member: name, Err: err}
}
