package dynamodedupe

import (
	"math/bits"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A write replaces one version of an item by the next, and only that version:
// it is a compare-and-set. Owner, fencing number, state and the two ends
// together name a version, for within one claim every change moves one of
// them and none moves back.
type write struct {
	key    dedupe.Key
	prev   *dedupe.Row // without one there must be no item
	next   *dedupe.Row
	set    names // of next: what differs from prev
	remove names // of prev: what next does not have
}

// names is a set of attributes: a bit for each of [attributes].
type names uint16

func (n names) has(i int) bool { return n&(1<<i) != 0 }

// versionCount is how many attributes name a version.
const versionCount = 5

// version names the attributes that a write compares.
func version() [versionCount]string {
	return [...]string{attrOwner, attrFence, attrState, attrLeaseEnd, attrRetainEnd}
}

// newWrite returns the write from prev to next, which stay as they are until
// it is done, and false when there is nothing to write.
func newWrite(key dedupe.Key, prev, next *dedupe.Row) (write, bool) {
	if !next.Exists() {
		return write{}, false
	}
	w := write{key: key, next: next}
	if prev.Exists() {
		w.prev = prev
	}
	for i, name := range attributes() {
		var was value
		if w.prev != nil {
			was = valueOf(name, key, prev)
		}
		switch is := valueOf(name, key, next); {
		case is.equals(was):
		case is.kind == isAbsent:
			w.remove |= 1 << i
		default:
			w.set |= 1 << i
		}
	}
	return w, w.set|w.remove != 0
}

// size is about how many bytes the write takes in a request.
func (w *write) size() int { return 1024 + 2*len(w.key) + len(w.next.Result)*4/3 }

// statements makes writes to PartiQL statements on one table, those of one
// request: what the last one had as well is not made again.
type statements struct {
	table string // quoted
	shape shape  // of text
	text  *string
	next  made
	prev  made
}

// shape is what the text of a write's statement depends on.
type shape struct {
	insert      bool
	set, remove names
}

func (s *statements) of(w *write) types.BatchStatementRequest {
	if is := (shape{insert: w.prev == nil, set: w.set, remove: w.remove}); s.text == nil || is != s.shape {
		t := is.text(s.table)
		s.shape, s.text = is, &t
	}
	out := types.BatchStatementRequest{Statement: s.text}
	params := make([]types.AttributeValue, 0, bits.OnesCount16(uint16(w.set))+1+versionCount)
	for i, name := range attributes() {
		if w.set.has(i) {
			params = append(params, s.next.value(i, valueOf(name, w.key, w.next)))
		}
	}
	if w.prev != nil {
		params = append(params, text(string(w.key)).make())
		for i, name := range version() {
			params = append(params, s.prev.value(i, valueOf(name, w.key, w.prev)))
		}
		out.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld // an INSERT never returns it
	}
	out.Parameters = params
	return out
}

// text is that of a statement. Its parameters are what is set and, of an
// UPDATE, the key and the version compared.
func (s shape) text(quotedTable string) string {
	var b strings.Builder
	b.Grow(320)
	add := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
	}
	if s.insert {
		add("INSERT INTO ", quotedTable, " VALUE ")
		before := "{'"
		for i, name := range attributes() {
			if s.set.has(i) {
				add(before, name, "':?")
				before = ",'"
			}
		}
		add("}")
		return b.String()
	}
	add("UPDATE ", quotedTable)
	for i, name := range attributes() {
		if s.set.has(i) {
			add(` SET "`, name, `"=?`)
		}
	}
	for i, name := range attributes() {
		if s.remove.has(i) {
			add(` REMOVE "`, name, `"`)
		}
	}
	add(` WHERE "`, attrKey, `"=?`)
	for _, name := range version() {
		add(` AND "`, name, `"=?`)
	}
	return b.String()
}

// put returns the write as a request of its own, which always gets the old
// item when it fails.
func (w *write) put(table string) *dynamodb.PutItemInput {
	in := &dynamodb.PutItemInput{
		TableName:                           &table,
		Item:                                itemOf(w.key, w.next),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if w.prev == nil {
		in.ConditionExpression = aws.String("attribute_not_exists(" + attrKey + ")")
		return in
	}
	var b strings.Builder
	compared := version()
	in.ExpressionAttributeNames = make(map[string]string, len(compared))
	in.ExpressionAttributeValues = make(map[string]types.AttributeValue, len(compared))
	for i, name := range compared {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString("#" + name + " = :" + name)
		in.ExpressionAttributeNames["#"+name] = name
		in.ExpressionAttributeValues[":"+name] = valueOf(name, w.key, w.prev).make()
	}
	in.ConditionExpression = aws.String(b.String())
	return in
}

// itemOf returns key's row as an item. The row exists.
func itemOf(key dedupe.Key, r *dedupe.Row) map[string]types.AttributeValue {
	item := make(map[string]types.AttributeValue, attributeCount)
	for _, name := range attributes() {
		if v := valueOf(name, key, r); v.kind != isAbsent {
			item[name] = v.make()
		}
	}
	return item
}

// quote quotes a table's name for PartiQL. Attributes need no more than the
// quotes.
func quote(table string) string { return `"` + strings.ReplaceAll(table, `"`, `""`) + `"` }
