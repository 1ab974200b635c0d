package dynamodedupe

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The attributes of an item. Several are reserved words of DynamoDB, so every
// expression quotes or aliases all of them; they are words because people
// read them in the console, and are counted in an item's size all the same.
const (
	attrKey         = "pk"          // S: the key
	attrVersion     = "v"           // N: rowVersion
	attrState       = "state"       // S: the state's name
	attrOwner       = "owner"       // S: 32 hexadecimal digits
	attrFence       = "fence"       // N
	attrClaims      = "claims"      // N
	attrFailures    = "failures"    // N
	attrLeaseEnd    = "lease_end"   // N: Unix milliseconds, as all times but ttl
	attrRetainEnd   = "retain_end"  // N
	attrCreated     = "created"     // N
	attrCompleted   = "completed"   // N: absent until completed
	attrLastError   = "last_error"  // S, or B when it is not UTF-8; absent when empty
	attrFingerprint = "fingerprint" // the same
	attrResult      = "result"      // B: absent when there is none
	attrResultLost  = "result_lost" // BOOL: absent when false
	attrTTL         = "ttl"         // N: Unix seconds; absent when the row never expires
)

// rowVersion is the version of the attributes above. An item of another one
// is an error of its key: what it means is not for this program to guess.
const rowVersion = 1

// attributeCount is how many there are.
const attributeCount = 16

// attributes names them all, in the order in which they are written.
func attributes() [attributeCount]string {
	return [...]string{
		attrKey, attrVersion, attrState, attrOwner, attrFence, attrClaims, attrFailures, attrLeaseEnd, attrRetainEnd,
		attrCreated, attrCompleted, attrLastError, attrFingerprint, attrResult, attrResultLost, attrTTL,
	}
}

// valueOf returns what stands in that attribute of key's row. The row exists.
func valueOf(name string, key dedupe.Key, r *dedupe.Row) value {
	switch name {
	case attrKey:
		return text(string(key))
	case attrVersion:
		return number(rowVersion)
	case attrState:
		return text(r.State.String())
	case attrOwner:
		return value{kind: isHex, bytes: r.Owner[:]}
	case attrFence:
		return number(r.Fence)
	case attrClaims:
		return number(int64(r.Claims))
	case attrFailures:
		return number(int64(r.Failures))
	case attrLeaseEnd:
		return number(int64(r.LeaseEnd))
	case attrRetainEnd:
		return number(int64(r.RetainEnd))
	case attrCreated:
		return number(int64(r.Created))
	case attrCompleted:
		return number(int64(r.Completed)).unless(r.Completed == 0)
	case attrLastError:
		return text(r.LastError)
	case attrFingerprint:
		return text(r.Fingerprint)
	case attrResult:
		return value{kind: isBytes, bytes: r.Result}.unless(r.Result == nil)
	case attrResultLost:
		return value{kind: isTrue}.unless(!r.ResultLost)
	case attrTTL:
		e := r.Expiry()
		return number((int64(e) + 999) / 1000).unless(e <= 0)
	}
	panic("dynamodedupe: no attribute " + name)
}

// value is what stands in an attribute: comparable at no cost, and a value of
// the SDK's only where it is sent. The zero value says that the attribute is
// absent.
type value struct {
	kind   kind
	number int64
	text   string
	bytes  []byte
}

type kind uint8

const (
	isAbsent kind = iota
	isNumber
	isText
	isHex   // a string: bytes in hexadecimal
	isBytes // binary
	isTrue
)

func number(n int64) value { return value{kind: isNumber, number: n} }

// text is absent when it is empty, and binary when it is not UTF-8: the SDK
// would replace what is not.
func text(s string) value {
	switch {
	case s == "":
		return value{}
	case !utf8.ValidString(s):
		return value{kind: isBytes, bytes: []byte(s)}
	}
	return value{kind: isText, text: s}
}

func (v value) unless(absent bool) value {
	if absent {
		return value{}
	}
	return v
}

func (v value) equals(w value) bool {
	return v.kind == w.kind && v.number == w.number && v.text == w.text && bytes.Equal(v.bytes, w.bytes)
}

// made keeps, for each place in a statement, the value that stood there last as
// one of the SDK's: rows that are written together mostly differ in key and
// owner only.
type made [attributeCount]struct {
	from value
	is   types.AttributeValue
}

// value returns v, which is not absent, for place i.
func (m *made) value(i int, v value) types.AttributeValue {
	if last := &m[i]; last.is == nil || !last.from.equals(v) {
		last.from, last.is = v, v.make()
	}
	return m[i].is
}

func (v value) make() types.AttributeValue {
	switch v.kind {
	case isNumber:
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(v.number, 10)}
	case isText:
		return &types.AttributeValueMemberS{Value: v.text}
	case isHex:
		return &types.AttributeValueMemberS{Value: hex.EncodeToString(v.bytes)}
	case isBytes:
		return &types.AttributeValueMemberB{Value: v.bytes}
	case isTrue:
		return &types.AttributeValueMemberBOOL{Value: true}
	case isAbsent:
	}
	panic("dynamodedupe: an absent value")
}

// parseRow reads the item of key. No item is no row. Attributes that it does
// not know are left alone; whatever else is not as attrsOf writes it is a
// [*RowError]: a guess could make work done that was not.
func parseRow(key dedupe.Key, item map[string]types.AttributeValue) (dedupe.Row, error) {
	if len(item) == 0 {
		return dedupe.Row{}, nil
	}
	in := reader{item: item}
	if v := in.numText(attrVersion, true); in.bad == "" && v != strconv.Itoa(rowVersion) {
		in.fail("attribute %q: written in version %s, this program reads %d", attrVersion, v, rowVersion)
	}
	if got := in.text(attrKey, true); in.bad == "" && got != string(key) {
		in.fail("attribute %q: it is of key %q", attrKey, got)
	}
	var r dedupe.Row
	var known bool
	state := in.text(attrState, true)
	if r.State, known = dedupe.ParseState(state); !known {
		in.fail("attribute %q: unknown state %q", attrState, state)
	}
	var err error
	if r.Owner, err = dedupe.ParseOwner(in.text(attrOwner, true)); err != nil {
		in.fail("attribute %q: %w", attrOwner, err)
	}
	r.Fence = in.num(attrFence, true, 64)
	r.Claims, r.Failures = int32(in.num(attrClaims, true, 32)), int32(in.num(attrFailures, true, 32))
	r.LeaseEnd, r.RetainEnd = dedupe.Millis(in.num(attrLeaseEnd, true, 64)), dedupe.Millis(in.num(attrRetainEnd, true, 64))
	r.Created, r.Completed = dedupe.Millis(in.num(attrCreated, true, 64)), dedupe.Millis(in.num(attrCompleted, false, 64))
	r.LastError, r.Fingerprint = in.anyText(attrLastError), in.anyText(attrFingerprint)
	r.Result, r.ResultLost = in.bytes(attrResult), in.flag(attrResultLost)
	if in.bad != "" {
		return dedupe.Row{}, &RowError{Key: key, Reason: in.bad}
	}
	return r, nil
}

// reader takes attributes from an item and remembers the first that was
// malformed.
type reader struct {
	item map[string]types.AttributeValue
	bad  string
}

func (in *reader) fail(format string, args ...any) {
	if in.bad == "" {
		in.bad = fmt.Errorf(format, args...).Error()
	}
}

// absent reports whether name is not there, and fails when it must be.
func (in *reader) absent(name string, required bool) bool {
	_, ok := in.item[name]
	if !ok && required {
		in.fail("attribute %q is missing", name)
	}
	return !ok
}

func (in *reader) numText(name string, required bool) string {
	if in.absent(name, required) {
		return "0"
	}
	n, ok := in.item[name].(*types.AttributeValueMemberN)
	if !ok {
		in.fail("attribute %q is not a number", name)
		return "0"
	}
	return n.Value
}

func (in *reader) num(name string, required bool, bits int) int64 {
	n, err := strconv.ParseInt(in.numText(name, required), 10, bits)
	if err != nil {
		in.fail("attribute %q: %w", name, err)
	}
	return n
}

func (in *reader) text(name string, required bool) string {
	if in.absent(name, required) {
		return ""
	}
	s, ok := in.item[name].(*types.AttributeValueMemberS)
	if !ok {
		in.fail("attribute %q is not a string", name)
		return ""
	}
	return s.Value
}

// anyText reads a text that need not be UTF-8, nor be there.
func (in *reader) anyText(name string) string {
	if b, ok := in.item[name].(*types.AttributeValueMemberB); ok {
		return string(b.Value)
	}
	return in.text(name, false)
}

func (in *reader) bytes(name string) []byte {
	if in.absent(name, false) {
		return nil
	}
	v, ok := in.item[name].(*types.AttributeValueMemberB)
	if !ok {
		in.fail("attribute %q is not binary", name)
		return nil
	}
	return append([]byte{}, v.Value...) // never nil: a result of no bytes is one
}

func (in *reader) flag(name string) bool {
	if in.absent(name, false) {
		return false
	}
	v, ok := in.item[name].(*types.AttributeValueMemberBOOL)
	if !ok {
		in.fail("attribute %q is not a boolean", name)
	}
	return ok && v.Value
}
