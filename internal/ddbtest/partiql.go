package ddbtest

import (
	"slices"
	"strconv"
	"strings"
)

// statement is a PartiQL statement with its parameters.
type statement struct {
	Statement                           string
	Parameters                          []Value
	ConsistentRead                      bool
	ReturnValuesOnConditionCheckFailure string
}

// parsedStatement is a statement that is ready to run.
type parsedStatement struct {
	verb      string
	table     string
	item      Item       // INSERT
	change    *change    // UPDATE
	where     *condition // all others
	returning string     // ALL OLD or ALL NEW
}

// maxStatement is the length of the longest statement.
const maxStatement = 8192

func (s *statement) parse() parsedStatement {
	if len(s.Statement) > maxStatement {
		fail("ValidationException", "Statement is longer than %d characters", maxStatement)
	}
	for i, v := range s.Parameters {
		v.check("parameter " + strconv.Itoa(i+1))
	}
	p := &parser{what: "statement", toks: tokens(s.Statement, true), partiql: true, params: s.Parameters}
	out := parsedStatement{verb: strings.ToUpper(p.next().text)}
	switch out.verb {
	case "INSERT":
		p.mustWord("INTO")
		out.table = p.name()
		p.mustWord("VALUE")
		p.must("{")
		out.item = p.tuple()
	case "UPDATE":
		out.table = p.name()
		out.change = p.changes()
	case "DELETE":
		p.mustWord("FROM")
		out.table = p.name()
	case "SELECT":
		p.must("*")
		p.mustWord("FROM")
		out.table = p.name()
	default:
		p.at = 0
		p.syntax()
	}
	if out.verb != "INSERT" {
		p.mustWord("WHERE")
		c := p.condition()
		out.where = &c
	}
	if p.word("RETURNING") {
		out.returning = p.returning(out.verb)
	}
	p.end()
	if len(p.params) != 0 {
		fail("ValidationException", "Number of parameters in request and statement don't match.")
	}
	return out
}

// changes reads SET path = value and REMOVE path, each as often as it stands.
func (p *parser) changes() *change {
	c := &change{}
	for {
		switch {
		case p.word("SET"):
			for {
				p.action(c, "SET")
				if !p.punct(",") {
					break
				}
			}
		case p.word("REMOVE"):
			p.action(c, "REMOVE")
		case len(c.apply) == 0:
			p.syntax()
		default:
			return c
		}
	}
}

func (p *parser) returning(verb string) string {
	p.mustWord("ALL")
	out := "ALL OLD"
	if !p.word("OLD") {
		p.mustWord("NEW")
		out = "ALL NEW"
	}
	p.must("*")
	if verb == "INSERT" || verb == "SELECT" || verb == "DELETE" && out == "ALL NEW" {
		p.syntax()
	}
	return out
}

// key returns the key of the one item that the statement is about.
func (s parsedStatement) key(t *table) string {
	if s.verb == "INSERT" {
		return t.keyOf(s.item)
	}
	key := Item{}
	for _, name := range t.keyNames() {
		if v, ok := s.where.equals[name]; ok {
			key[name] = v
		}
	}
	if len(key) != len(t.keyNames()) {
		fail("ValidationException", "Where clause does not contain a mandatory equality on all key attributes")
	}
	return t.onlyKey(key)
}

// run applies the statement and returns the item that it selects or returns.
func (c *call) execute(req *statement, s parsedStatement) Item {
	t := c.table(s.table)
	key := s.key(t)
	was := t.items[key]
	withItem := req.ReturnValuesOnConditionCheckFailure == "ALL_OLD"
	if s.verb != "SELECT" {
		c.free(place{t.name, key})
	}
	switch s.verb {
	case "SELECT":
		c.looked(t, was, req.ConsistentRead)
		if was == nil || !s.where.holds(was) {
			return nil
		}
		return was
	case "INSERT":
		c.wrote(t, was, s.item)
		if was != nil {
			fail("DuplicateItemException", "Duplicate primary key exists in table") // without the item, even if it was asked for
		}
		t.check(s.item)
		t.items[key] = s.item
		return nil
	}
	if was == nil || !s.where.holds(was) {
		c.wrote(t, was, nil)
		refused(was, withItem && !c.o.NoOldItem)
	}
	next := Item(nil)
	if s.verb == "UPDATE" {
		next = was.clone()
		t.change(s.change, was, next)
		t.check(next)
		t.items[key] = next
	} else {
		delete(t.items, key)
	}
	c.wrote(t, was, next)
	switch s.returning {
	case "ALL OLD":
		return was
	case "ALL NEW":
		return next
	}
	return nil
}

type executeInput struct {
	statement
	ReturnConsumedCapacity string
}

func (in *executeInput) keys(c *call) []string { return c.statementKeys(in.statement) }

func (in *executeInput) apply(c *call) any {
	out := map[string]any{}
	if i := c.execute(&in.statement, in.parse()); i != nil {
		out["Items"] = []Item{i}
	}
	if used := c.capacityOf(in.ReturnConsumedCapacity); used != nil {
		out["ConsumedCapacity"] = used
	}
	return out
}

type batchExecuteInput struct {
	Statements             []statement
	ReturnConsumedCapacity string
}

func (in *batchExecuteInput) keys(c *call) []string { return c.statementKeys(in.Statements...) }

type statementOutput struct {
	TableName string          `json:",omitempty"`
	Item      Item            `json:",omitempty"`
	Error     *statementError `json:",omitempty"`
}

type statementError struct {
	Code    string
	Message string `json:",omitempty"`
	Item    Item   `json:",omitempty"`
}

// apply runs each statement by itself, but for what is wrong with the batch
// as such.
func (in *batchExecuteInput) apply(c *call) any {
	if n := len(in.Statements); n == 0 || n > 25 {
		fail("ValidationException", "Member must have length less than or equal to 25 and greater than 0, has %d", n)
	}
	ready := make([]parsedStatement, len(in.Statements))
	errs := make([]*Error, len(in.Statements))
	seen := map[string]bool{}
	reads := 0
	for i := range in.Statements {
		errs[i] = caught(func() {
			ready[i] = in.Statements[i].parse()
			key := ready[i].table + "\x00" + ready[i].key(c.table(ready[i].table))
			if seen[key] {
				panic(&Error{Code: "twice"})
			}
			seen[key] = true
		})
		if errs[i] != nil && errs[i].Code == "twice" {
			fail("ValidationException", "Provided list of item keys contains duplicates")
		}
		if ready[i].verb == "SELECT" {
			reads++
		}
	}
	if reads != 0 && reads != len(ready) {
		fail("ValidationException", "Batch cannot mix reads and writes")
	}
	out := make([]statementOutput, len(ready))
	for i := range ready {
		if errs[i] == nil {
			errs[i] = c.action.FailStatements[i]
		}
		if errs[i] == nil {
			errs[i] = caught(func() { out[i].Item = c.execute(&in.Statements[i], ready[i]) })
		}
		out[i].TableName = ready[i].table
		if e := errs[i]; e != nil {
			out[i].Error = &statementError{Code: e.statementCode(), Message: e.Message, Item: e.item}
		}
	}
	answer := map[string]any{"Responses": out}
	if used := c.capacities(in.ReturnConsumedCapacity); used != nil {
		answer["ConsumedCapacity"] = used
	}
	return answer
}

// statementKeys are the partition keys of statements, for a FaultFunc.
func (c *call) statementKeys(all ...statement) []string {
	out := make([]string, len(all))
	for i := range all {
		_ = caught(func() { // what is wrong is said later
			s := all[i].parse()
			t := c.table(s.table)
			from := s.item
			if from == nil {
				from = s.where.equals
			}
			out[i] = keyText(from[t.hash])
		})
	}
	return slices.Clip(out)
}
