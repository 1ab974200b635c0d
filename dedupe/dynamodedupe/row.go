package dynamodedupe

import (
	"bytes"
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
const rowVersion = "1"

// attr is one attribute of an item.
type attr struct {
	name  string
	value types.AttributeValue
}

// attrsOf returns key's row as attributes, always in the same order. The row
// exists.
func attrsOf(key dedupe.Key, r *dedupe.Row) []attr {
	a := make([]attr, 0, 16)
	num := func(name string, n int64) {
		a = append(a, attr{name, &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}})
	}
	text := func(name, s string) {
		switch {
		case s == "":
		case utf8.ValidString(s):
			a = append(a, attr{name, &types.AttributeValueMemberS{Value: s}})
		default: // the SDK would replace what is not UTF-8
			a = append(a, attr{name, &types.AttributeValueMemberB{Value: []byte(s)}})
		}
	}
	text(attrKey, string(key))
	a = append(a, attr{attrVersion, &types.AttributeValueMemberN{Value: rowVersion}})
	text(attrState, r.State.String())
	text(attrOwner, r.Owner.String())
	num(attrFence, r.Fence)
	num(attrClaims, int64(r.Claims))
	num(attrFailures, int64(r.Failures))
	num(attrLeaseEnd, int64(r.LeaseEnd))
	num(attrRetainEnd, int64(r.RetainEnd))
	num(attrCreated, int64(r.Created))
	if r.Completed != 0 {
		num(attrCompleted, int64(r.Completed))
	}
	text(attrLastError, r.LastError)
	text(attrFingerprint, r.Fingerprint)
	if r.Result != nil {
		a = append(a, attr{attrResult, &types.AttributeValueMemberB{Value: r.Result}})
	}
	if r.ResultLost {
		a = append(a, attr{attrResultLost, &types.AttributeValueMemberBOOL{Value: true}})
	}
	if e := r.Expiry(); e > 0 {
		num(attrTTL, (int64(e)+999)/1000)
	}
	return a
}

// difference returns the attributes of next that are new or other than in
// prev, and the names of those that next does not have.
func difference(prev, next []attr) (set []attr, remove []string) {
	for _, n := range next {
		if p := find(prev, n.name); p == nil || !equalValues(p, n.value) {
			set = append(set, n)
		}
	}
	for _, p := range prev {
		if find(next, p.name) == nil {
			remove = append(remove, p.name)
		}
	}
	return set, remove
}

func find(attrs []attr, name string) types.AttributeValue {
	for i := range attrs {
		if attrs[i].name == name {
			return attrs[i].value
		}
	}
	return nil
}

// equalValues compares values of the types that attrsOf makes.
func equalValues(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		b, ok := b.(*types.AttributeValueMemberS)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberN:
		b, ok := b.(*types.AttributeValueMemberN)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberB:
		b, ok := b.(*types.AttributeValueMemberB)
		return ok && bytes.Equal(a.Value, b.Value)
	case *types.AttributeValueMemberBOOL:
		b, ok := b.(*types.AttributeValueMemberBOOL)
		return ok && a.Value == b.Value
	}
	return false
}

// parseRow reads the item of key. No item is no row. Attributes that it does
// not know are left alone; whatever else is not as attrsOf writes it is a
// [*RowError]: a guess could make work done that was not.
func parseRow(key dedupe.Key, item map[string]types.AttributeValue) (dedupe.Row, error) {
	if len(item) == 0 {
		return dedupe.Row{}, nil
	}
	in := reader{item: item}
	if v := in.numText(attrVersion, true); in.bad == "" && v != rowVersion {
		in.fail("written in version %q, this program reads %s", v, rowVersion)
	}
	if got := in.text(attrKey, true); in.bad == "" && got != string(key) {
		in.fail("it is of key %q", got)
	}
	var r dedupe.Row
	var known bool
	if r.State, known = dedupe.ParseState(in.text(attrState, true)); !known {
		in.fail("unknown state")
	}
	var err error
	if r.Owner, err = dedupe.ParseOwner(in.text(attrOwner, true)); err != nil {
		in.fail("%w", err)
	}
	r.Fence = in.num(attrFence, true, 64)
	r.Claims, r.Failures = int32(in.num(attrClaims, true, 32)), int32(in.num(attrFailures, true, 32))
	r.LeaseEnd, r.RetainEnd = dedupe.Millis(in.num(attrLeaseEnd, true, 64)), dedupe.Millis(in.num(attrRetainEnd, true, 64))
	r.Created, r.Completed = dedupe.Millis(in.num(attrCreated, true, 64)), dedupe.Millis(in.num(attrCompleted, false, 64))
	r.LastError, r.Fingerprint = in.text(attrLastError, false), in.text(attrFingerprint, false)
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
	switch v := in.item[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	}
	in.fail("attribute %q is not a string", name)
	return ""
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
