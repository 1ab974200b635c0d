package sources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The names of the envelopes.
const (
	eventBridge    = "EventBridge"
	notification   = "SNS"
	scheduled      = "Scheduler"
	onFailure      = "on-failure"
	customBus      = "custom event bus"
	s3             = "S3"
	kinesis        = "Kinesis"
	dynamoDBStream = "DynamoDB stream"
)

// reader reads the members of one envelope. It is strict about the envelope
// itself and takes the values inside as they are, as long as they are JSON: a
// duplicate or half a surrogate pair deep in a payload is the business of
// whoever reads the payload, and must not keep a record from being read that
// is identified by its envelope.
type reader struct {
	envelope string
	path     string // what stands before names in errors: "s3.object."
	body     []byte
	each     func(name string, value []byte) error // of names that nobody asked for; may be nil
	dec      *jsontext.Decoder
	others   map[string]struct{} // names seen that nobody asked for
	scratch  []byte
}

// member says what a member must be and where it goes: one of the pointers.
type member struct {
	name     string
	text     *string    // for a string that is not empty
	object   *[]byte    // for an object: its bytes as they stand in the body
	array    *[]byte    // for an array, the same
	value    *[]byte    // for anything but null, the same
	seconds  *time.Time // for a number of seconds since 1970
	time     *time.Time // for a text in RFC 3339
	required bool
	empty    bool // the text may be empty
	null     bool // null counts as not being there; not for what is required
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
		value, err := r.dec.ReadValue()
		if err != nil {
			return r.syntax(err)
		}
		if r.each != nil {
			return r.each(string(name), r.here(value))
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
	if members[i].null && value.Kind() == jsontext.KindNull {
		return nil
	}
	return r.set(members[i], value)
}

// here returns a value that was just read as it stands in the body.
func (r *reader) here(value jsontext.Value) []byte {
	end := int(r.dec.InputOffset())
	return r.body[end-len(value) : end : end]
}

// set puts a member's value where it goes.
func (r *reader) set(m member, value jsontext.Value) error {
	kind := value.Kind()
	switch {
	case m.object != nil && kind != jsontext.KindBeginObject:
		return r.bad(m.name, "want an object")
	case m.array != nil && kind != jsontext.KindBeginArray:
		return r.bad(m.name, "want an array")
	case m.value != nil && kind == jsontext.KindNull:
		return r.bad(m.name, "want a value")
	case m.seconds != nil:
		return r.seconds(m, value)
	case m.object != nil:
		*m.object = r.here(value)
	case m.array != nil:
		*m.array = r.here(value)
	case m.value != nil:
		*m.value = r.here(value)
	default:
		return r.text(m, value)
	}
	return nil
}

// text puts a string where it goes.
func (r *reader) text(m member, value jsontext.Value) error {
	if value.Kind() != jsontext.KindString {
		return r.bad(m.name, "want a string")
	}
	text, err := r.unquote(value)
	switch {
	case err != nil:
		return r.fail(m.name, fmt.Errorf("%w: %w", ErrBadMember, err))
	case m.time != nil:
		var at time.Time
		if err := at.UnmarshalText(text); err != nil { // stricter than time.Parse
			return r.bad(m.name, "want a time such as 2026-11-21T10:00:00Z")
		}
		*m.time = at
		return nil
	case len(text) == 0 && !m.empty:
		return r.bad(m.name, "want a string that is not empty")
	}
	*m.text = string(text)
	return nil
}

// seconds puts a time where it goes.
func (r *reader) seconds(m member, value jsontext.Value) error {
	const most = 1 << 38 // some thousand years, in which milliseconds do not overflow
	f, err := strconv.ParseFloat(string(value), 64)
	if value.Kind() != jsontext.KindNumber || err != nil || f < 0 || f > most {
		return r.bad(m.name, "want seconds since 1970")
	}
	*m.seconds = time.UnixMilli(int64(math.Round(f * 1000))).UTC()
	return nil
}

// within reads the members of an object that is a member of the body.
func (r *reader) within(name string, object []byte, members ...member) error {
	inner := reader{envelope: r.envelope, path: r.path + name + ".", body: object}
	return inner.read(members...)
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
	if name != "" {
		name = r.path + name
	}
	return &EnvelopeError{Envelope: r.envelope, Member: name, Err: err}
}
