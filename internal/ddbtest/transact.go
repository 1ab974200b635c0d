package ddbtest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

const (
	// maxTransact is how many items one transaction has at most.
	maxTransact = 100

	// tokenLife is how long a ClientRequestToken stands for its request.
	tokenLife = 10 * time.Minute
)

// place is one item of one table.
type place struct{ table, key string }

// transaction is a request that was committed, by its ClientRequestToken.
type transaction struct {
	body string
	at   time.Time
}

type transactInput struct {
	TransactItems          []transactItem
	ClientRequestToken     string
	ReturnConsumedCapacity string
}

// transactItem is one of its members.
type transactItem struct {
	Put            *putInput
	Update         *updateInput
	Delete         *deleteInput
	ConditionCheck *checkInput
}

// checkInput is a condition without a write.
type checkInput struct {
	expressions
	Key Item
}

func (in *checkInput) keys(c *call) []string { return c.hashes(in.TableName, in.Key) }

func (in *checkInput) apply(c *call) any {
	t, p := c.table(in.TableName), in.parse()
	key := t.onlyKey(in.Key)
	was := t.items[key]
	c.free(place{t.name, key})
	c.wrote(t, was, nil)
	if !p.condition.holds(was) {
		refused(was, in.ReturnValuesOnConditionCheckFailure == "ALL_OLD")
	}
	return nil
}

// write returns the one member that is there, with its table and its key.
func (i *transactItem) write() (in keyedInput, e *expressions, key Item) {
	n := 0
	if i.Put != nil {
		in, e, key = i.Put, &i.Put.expressions, i.Put.Item
		n++
	}
	if i.Update != nil {
		in, e, key = i.Update, &i.Update.expressions, i.Update.Key
		n++
	}
	if i.Delete != nil {
		in, e, key = i.Delete, &i.Delete.expressions, i.Delete.Key
		n++
	}
	if i.ConditionCheck != nil {
		in, e, key = i.ConditionCheck, &i.ConditionCheck.expressions, i.ConditionCheck.Key
		n++
	}
	if n != 1 || i.ConditionCheck != nil && e.ConditionExpression == nil {
		fail("ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return in, e, key
}

type keyedInput interface {
	input
	keyed
}

func (in *transactInput) keys(c *call) []string {
	out := make([]string, len(in.TransactItems))
	for n := range in.TransactItems {
		_ = caught(func() { // what is wrong is said later
			write, _, _ := in.TransactItems[n].write()
			out[n] = write.keys(c)[0]
		})
	}
	return out
}

// places returns where the transaction writes. It fails on what is wrong with
// the request as such.
func (in *transactInput) places(c *call) []place {
	if n := len(in.TransactItems); n == 0 || n > maxTransact {
		fail("ValidationException", "Member must have length less than or equal to %d and greater than 0, has %d", maxTransact, n)
	}
	out := make([]place, len(in.TransactItems))
	seen := map[place]bool{}
	for n := range in.TransactItems {
		_, e, key := in.TransactItems[n].write()
		t := c.table(e.TableName)
		e.parse()
		only := Item{}
		for _, name := range t.keyNames() {
			if v, ok := key[name]; ok {
				only[name] = v
			}
		}
		out[n] = place{t.name, t.keyOf(only)}
		if seen[out[n]] {
			fail("ValidationException", "Transaction request cannot include multiple operations on one item")
		}
		seen[out[n]] = true
	}
	return out
}

// apply applies all writes or none.
func (in *transactInput) apply(c *call) any {
	places := in.places(c)
	if in.repeated(c) {
		for _, at := range places { // twice for a transaction, as the writes
			t := c.tables[at.table]
			c.looked(t, t.items[at.key], true)
			c.looked(t, t.items[at.key], true)
		}
		return in.answer(c)
	}
	was := make([]Item, len(places))
	for n, at := range places {
		was[n] = c.tables[at.table].items[at.key]
	}
	reasons, cancelled := make([]statementError, len(places)), false
	for n := range places {
		err := c.action.FailStatements[n]
		if err == nil {
			err = caught(func() {
				write, _, _ := in.TransactItems[n].write()
				write.apply(c)
			})
		}
		reasons[n].Code = "None"
		if err != nil {
			reasons[n] = statementError{Code: err.statementCode(), Message: err.Message, Item: err.item}
			cancelled = true
		}
	}
	for _, u := range c.consumed {
		u.Write *= 2
	}
	if cancelled {
		for n, at := range places {
			c.tables[at.table].set(at.key, was[n])
		}
		panic(&Error{Code: "TransactionCanceledException", Message: "Transaction cancelled, please refer cancellation reasons for specific reasons " + codes(reasons), reasons: reasons})
	}
	if in.ClientRequestToken != "" {
		c.committed[in.ClientRequestToken] = transaction{body: in.body(), at: time.Now()}
	}
	return in.answer(c)
}

// repeated reports whether the request was committed before, and fails when
// its token stands for another one.
func (in *transactInput) repeated(c *call) bool {
	before, ok := c.committed[in.ClientRequestToken]
	if !ok || time.Since(before.at) >= tokenLife {
		return false
	}
	if before.body != in.body() {
		fail("IdempotentParameterMismatchException", "The parameters differ from those of an earlier request with this token")
	}
	return true
}

// body is the request as one text, whatever the order of members was.
func (in *transactInput) body() string {
	b, err := json.Marshal(in.TransactItems)
	if err != nil {
		panic("ddbtest: encode transaction: " + err.Error())
	}
	return string(b)
}

func (in *transactInput) answer(c *call) any {
	out := map[string]any{}
	if used := c.capacities(in.ReturnConsumedCapacity); used != nil {
		out["ConsumedCapacity"] = used
	}
	return out
}

// codes lists the reasons as DynamoDB's message does.
func codes(reasons []statementError) string {
	all := make([]string, len(reasons))
	for n := range reasons {
		all[n] = reasons[n].Code
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// hold keeps the items of a transaction for itself for a while, as DynamoDB
// does from its first phase on: other writes of them are refused.
func (c *call) hold(ctx context.Context, in input) {
	tx, ok := in.(*transactInput)
	if !ok || c.action.Hold == 0 {
		return
	}
	c.mu.Lock()
	var places []place
	_ = caught(func() { places = tx.places(c) }) // what is wrong is said later
	for _, at := range places {
		c.held[at]++
	}
	c.mu.Unlock()
	defer func() { // also when its client has gone, and takes it along
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, at := range places {
			if c.held[at]--; c.held[at] == 0 {
				delete(c.held, at)
			}
		}
	}()
	memhttp.Wait(ctx, c.action.Hold)
}

// free fails while a transaction holds the item.
func (c *call) free(at place) {
	if c.held[at] > 0 {
		fail("TransactionConflictException", "Transaction is ongoing for the item")
	}
}
