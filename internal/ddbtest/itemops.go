package ddbtest

import (
	"maps"
	"slices"
)

// expressions are the parts that requests about one item share.
type expressions struct {
	TableName                           string
	ConditionExpression                 *string
	UpdateExpression                    *string
	ProjectionExpression                *string
	FilterExpression                    *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]Value
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
}

// parsed are the parsed expressions of a request; those it does not have are
// nil.
type parsed struct {
	condition *condition
	filter    *condition
	change    *change
	projected []path
}

// maxExpression is the length of the longest expression. It also bounds how
// deep one can be nested.
const maxExpression = 4096

// parse parses all expressions and fails on names and values that none uses.
func (e *expressions) parse() parsed {
	for name, v := range e.ExpressionAttributeValues {
		v.check(name)
	}
	used := map[string]bool{}
	on := func(what string, src *string) *parser {
		if *src == "" {
			fail("ValidationException", "Invalid %s: The expression can not be empty;", what)
		}
		if n := len(*src); n > maxExpression {
			fail("ValidationException", "Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %d", what, n)
		}
		return &parser{
			what: what, toks: tokens(*src, false),
			names: e.ExpressionAttributeNames, values: e.ExpressionAttributeValues, used: used,
		}
	}
	var out parsed
	if e.ConditionExpression != nil {
		p := on("ConditionExpression", e.ConditionExpression)
		c := p.condition()
		p.end()
		out.condition = &c
	}
	if e.FilterExpression != nil {
		p := on("FilterExpression", e.FilterExpression)
		c := p.condition()
		p.end()
		out.filter = &c
	}
	if e.UpdateExpression != nil {
		out.change = on("UpdateExpression", e.UpdateExpression).update()
	}
	if e.ProjectionExpression != nil {
		p := on("ProjectionExpression", e.ProjectionExpression)
		for {
			out.projected = append(out.projected, p.path())
			if !p.punct(",") {
				break
			}
		}
		p.end()
	}
	for name := range e.ExpressionAttributeNames {
		if !used[name] {
			fail("ValidationException", "Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for name := range e.ExpressionAttributeValues {
		if !used[name] {
			fail("ValidationException", "Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
	return out
}

// project returns the top-level attributes that were asked for.
func (p parsed) project(i Item) Item {
	if p.projected == nil || i == nil {
		return i
	}
	out := Item{}
	for _, at := range p.projected {
		if v, ok := i[at[0].name]; ok {
			out[at[0].name] = v
		}
	}
	return out
}

// replace puts next, or nothing, in the place of an item if the condition
// holds of what is there.
func (c *call) replace(t *table, e *expressions, p parsed, key string, next Item) {
	was := t.items[key]
	c.free(place{t.name, key})
	c.wrote(t, was, next)
	if p.condition != nil && !p.condition.holds(was) {
		refused(was, e.ReturnValuesOnConditionCheckFailure == "ALL_OLD")
	}
	if next != nil {
		t.check(next)
	}
	t.set(key, next)
}

// set puts an item, or nothing, in its place.
func (t *table) set(key string, i Item) {
	if i == nil {
		delete(t.items, key)
		return
	}
	t.items[key] = i
}

func refused(was Item, withItem bool) {
	e := &Error{Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
	if withItem {
		e.item = was
	}
	panic(e)
}

type itemOutput struct {
	Attributes       Item      `json:",omitempty"`
	Item             Item      `json:",omitempty"`
	ConsumedCapacity *capacity `json:",omitempty"`
}

type putInput struct {
	expressions
	Item Item
}

func (in *putInput) keys(c *call) []string { return c.hashes(in.TableName, in.Item) }

func (in *putInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	key := t.keyOf(in.Item)
	was := t.items[key]
	c.replace(t, &in.expressions, p, key, in.Item)
	out := itemOutput{ConsumedCapacity: c.capacityOf(in.ReturnConsumedCapacity)}
	if in.ReturnValues == "ALL_OLD" {
		out.Attributes = was
	}
	return out
}

type updateInput struct {
	expressions
	Key Item
}

func (in *updateInput) keys(c *call) []string { return c.hashes(in.TableName, in.Key) }

func (in *updateInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	key := t.onlyKey(in.Key)
	was := t.items[key]
	next := was.clone()
	maps.Copy(next, in.Key)
	if p.change != nil && (p.condition == nil || p.condition.holds(was)) {
		t.change(p.change, was, next)
	}
	c.replace(t, &in.expressions, p, key, next)
	out := itemOutput{ConsumedCapacity: c.capacityOf(in.ReturnConsumedCapacity)}
	switch in.ReturnValues {
	case "ALL_OLD":
		out.Attributes = was
	case "ALL_NEW":
		out.Attributes = next
	}
	return out
}

// change applies a change that leaves the key alone.
func (t *table) change(ch *change, was, next Item) {
	for _, at := range ch.paths {
		if slices.Contains(t.keyNames(), at[0].name) {
			fail("ValidationException", "Cannot update attribute %s. This attribute is part of the key", at[0].name)
		}
	}
	for _, f := range ch.apply {
		f(was, next)
	}
}

type deleteInput struct {
	expressions
	Key Item
}

func (in *deleteInput) keys(c *call) []string { return c.hashes(in.TableName, in.Key) }

func (in *deleteInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	key := t.onlyKey(in.Key)
	was := t.items[key]
	c.replace(t, &in.expressions, p, key, nil)
	out := itemOutput{ConsumedCapacity: c.capacityOf(in.ReturnConsumedCapacity)}
	if in.ReturnValues == "ALL_OLD" {
		out.Attributes = was
	}
	return out
}

type getInput struct {
	expressions
	Key            Item
	ConsistentRead bool
}

func (in *getInput) keys(c *call) []string { return c.hashes(in.TableName, in.Key) }

func (in *getInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	i := t.items[t.onlyKey(in.Key)]
	c.looked(t, i, in.ConsistentRead)
	return itemOutput{Item: p.project(i), ConsumedCapacity: c.capacityOf(in.ReturnConsumedCapacity)}
}

type scanInput struct {
	expressions
	Limit             int
	ConsistentRead    bool
	ExclusiveStartKey Item
}

func (in *scanInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	from := ""
	if in.ExclusiveStartKey != nil {
		from = t.onlyKey(in.ExclusiveStartKey)
	}
	items, scanned := []Item{}, 0
	var last Item
	for _, key := range slices.Sorted(maps.Keys(t.items)) {
		if key <= from {
			continue
		}
		if in.Limit > 0 && scanned == in.Limit {
			return map[string]any{"Items": items, "Count": len(items), "ScannedCount": scanned, "LastEvaluatedKey": last}
		}
		i := t.items[key]
		scanned++
		c.looked(t, i, in.ConsistentRead)
		last = Item{}
		for _, name := range t.keyNames() {
			last[name] = i[name]
		}
		if p.filter == nil || p.filter.holds(i) {
			items = append(items, p.project(i))
		}
	}
	return map[string]any{"Items": items, "Count": len(items), "ScannedCount": scanned}
}

// hashes are the partition keys of items, for a FaultFunc.
func (c *call) hashes(tableName string, items ...Item) []string {
	t := c.tables[tableName]
	out := make([]string, len(items))
	for n, i := range items {
		if t != nil {
			out[n] = keyText(i[t.hash])
		}
	}
	return out
}
