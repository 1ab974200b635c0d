package ddbtest

import (
	"slices"
	"strings"
)

// maxItem is the size of the largest item.
const maxItem = 400 << 10

// table is a table with its items by key.
type table struct {
	name      string
	hash, rng string            // names of the key attributes; no range key when empty
	types     map[string]string // of the key attributes
	ttl       string            // attribute; empty when off
	items     map[string]Item
}

func (s *Server) table(name string) *table {
	t := s.tables[name]
	if t == nil {
		fail("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	}
	return t
}

// keyOf returns the item's key as one text. It fails on a key that is not as
// the table wants it.
func (t *table) keyOf(i Item) string {
	var b strings.Builder
	for _, name := range t.keyNames() {
		v, ok := i[name]
		switch {
		case !ok:
			fail("ValidationException", "One of the required keys was not given a value: %s", name)
		case v.kind() != t.types[name]:
			fail("ValidationException", "Type mismatch for key %s expected: %s actual: %s", name, t.types[name], v.kind())
		case keyText(v) == "":
			fail("ValidationException", "The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		case v.size() > 2048:
			fail("ValidationException", "Size of hashkey has exceeded the maximum size limit of 2048 bytes")
		}
		b.WriteString(keyText(v))
		b.WriteByte(0xff) // stands in no UTF-8 text
	}
	return b.String()
}

func (t *table) keyNames() []string {
	if t.rng == "" {
		return []string{t.hash}
	}
	return []string{t.hash, t.rng}
}

// onlyKey fails unless the item is a key and nothing else.
func (t *table) onlyKey(i Item) string {
	if len(i) != len(t.keyNames()) {
		fail("ValidationException", "The provided key element does not match the schema")
	}
	return t.keyOf(i)
}

// keyText is a key attribute as text, empty when it is not one.
func keyText(v Value) string {
	switch v.kind() {
	case "S":
		return *v.S
	case "N":
		if r, ok := v.rat(); ok {
			return r.RatString()
		}
	case "B":
		return string(*v.B)
	}
	return ""
}

// check fails on an item that cannot be stored.
func (t *table) check(i Item) {
	for name, v := range i {
		v.check(name)
	}
	if i.size() > maxItem {
		fail("ValidationException", "Item size has exceeded the maximum allowed size")
	}
}

// use returns the units that the call uses of a table, to add to.
func (c *call) use(tableName string) *Units {
	u := c.consumed[tableName]
	if u == nil {
		u = &Units{}
		c.consumed[tableName] = u
	}
	return u
}

// wrote counts a write, or an attempt at one, from one item to another.
func (c *call) wrote(t *table, was, is Item) {
	c.use(t.name).Write += float64(max(1, (max(was.size(), is.size())+1023)/1024))
}

// looked counts a read.
func (c *call) looked(t *table, i Item, consistent bool) {
	n := float64(max(1, (i.size()+4095)/4096))
	if !consistent {
		n /= 2
	}
	c.use(t.name).Read += n
}

// capacity is ConsumedCapacity on the wire.
type capacity struct {
	TableName                             string
	CapacityUnits                         float64
	ReadCapacityUnits, WriteCapacityUnits float64
}

// capacities returns what the call used, if it was asked to.
func (c *call) capacities(asked string) []capacity {
	if asked == "" || asked == "NONE" {
		return nil
	}
	var out []capacity
	for name, u := range c.consumed {
		out = append(out, capacity{name, u.Write + u.Read, u.Read, u.Write})
	}
	slices.SortFunc(out, func(a, b capacity) int { return strings.Compare(a.TableName, b.TableName) })
	return out
}

// capacityOf is capacities of an operation on one table.
func (c *call) capacityOf(asked string) *capacity {
	if all := c.capacities(asked); len(all) > 0 {
		return &all[0]
	}
	return nil
}
