package dynamodedupe

import (
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
	insert bool // there must be no item
	prev   []attr
	next   []attr
	set    []attr   // of next: what differs from prev
	remove []string // of prev: what next does not have
}

// version names the attributes that a write compares.
func version() [5]string {
	return [5]string{attrOwner, attrFence, attrState, attrLeaseEnd, attrRetainEnd}
}

// newWrite returns the write from prev to next, and false when there is
// nothing to write.
func newWrite(key dedupe.Key, prev, next *dedupe.Row) (write, bool) {
	if !next.Exists() {
		return write{}, false
	}
	w := write{key: key, insert: !prev.Exists(), next: attrsOf(key, next)}
	if w.insert {
		return w, true
	}
	w.prev = attrsOf(key, prev)
	w.set, w.remove = difference(w.prev, w.next)
	return w, len(w.set)+len(w.remove) > 0
}

// size is about how many bytes the write takes in a request.
func (w *write) size() int {
	n := 1024 + 2*len(w.key)
	if b, ok := find(w.next, attrResult).(*types.AttributeValueMemberB); ok {
		n += len(b.Value) * 4 / 3
	}
	return n
}

// statement returns the write as a PartiQL statement on the quoted table.
func (w *write) statement(quotedTable string) types.BatchStatementRequest {
	var b strings.Builder
	b.Grow(320)
	compared := version()
	params := make([]types.AttributeValue, 0, len(w.next)+1+len(compared))
	add := func(before, name, after string, v types.AttributeValue) {
		b.WriteString(before)
		b.WriteString(name)
		b.WriteString(after)
		params = append(params, v)
	}
	var onFailure types.ReturnValuesOnConditionCheckFailure
	if w.insert {
		b.WriteString("INSERT INTO ")
		b.WriteString(quotedTable)
		before := " VALUE {'"
		for _, a := range w.next {
			add(before, a.name, "':?", a.value)
			before = ",'"
		}
		b.WriteByte('}')
	} else {
		onFailure = types.ReturnValuesOnConditionCheckFailureAllOld // an INSERT never returns it
		b.WriteString("UPDATE ")
		b.WriteString(quotedTable)
		for _, a := range w.set {
			add(` SET "`, a.name, `"=?`, a.value)
		}
		for _, name := range w.remove {
			b.WriteString(` REMOVE "` + name + `"`)
		}
		add(` WHERE "`, attrKey, `"=?`, find(w.prev, attrKey))
		for _, name := range compared {
			add(` AND "`, name, `"=?`, find(w.prev, name))
		}
	}
	return types.BatchStatementRequest{
		Statement:                           aws.String(b.String()),
		Parameters:                          params,
		ReturnValuesOnConditionCheckFailure: onFailure,
	}
}

// put returns the write as a request of its own, which always gets the old
// item when it fails.
func (w *write) put(table string) *dynamodb.PutItemInput {
	item := make(map[string]types.AttributeValue, len(w.next))
	for _, a := range w.next {
		item[a.name] = a.value
	}
	in := &dynamodb.PutItemInput{
		TableName:                           &table,
		Item:                                item,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if w.insert {
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
		in.ExpressionAttributeValues[":"+name] = find(w.prev, name)
	}
	in.ConditionExpression = aws.String(b.String())
	return in
}

// quote quotes a table's name for PartiQL. Attributes need no more than the
// quotes.
func quote(table string) string { return `"` + strings.ReplaceAll(table, `"`, `""`) + `"` }
