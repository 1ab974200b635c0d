package dynamostate

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Absent is, in [Change.From], the state of an item that has none: there is
// no such attribute, or no item, which the change then makes.
const Absent = ""

// defaultAttribute is where an item has its state.
const defaultAttribute = "state"

// Item names an item of yours.
type Item struct {
	Table string                          // its name or ARN. Required.
	Key   map[string]types.AttributeValue // the whole primary key. Required.
}

// Change is a transition between states, which are strings. It is the same for
// all items; what it sets may differ.
type Change struct {
	// Attribute is where the item has its state, at the top level. Defaults to
	// "state".
	Attribute string

	// From are the states that the transition leaves. Required.
	From []string

	// To is the state that it leads to, not one of From. Required.
	To string

	// Past are the states that come after To. An item in one of them made
	// this transition before, and is left as it is. Defaults to none: a state
	// beyond To is a [*StateError].
	Past []string

	// Set is what else changes with the state: more assignments of an update
	// expression's SET clause, such as "paid_at = :at, tries = tries + :one".
	// Defaults to none.
	Set string

	// Names and Values are the placeholders in Set. Those that begin with
	// #once_ and :once_ are taken. Default to none.
	Names  map[string]string
	Values map[string]types.AttributeValue
}

// attribute is where the state is.
func (c *Change) attribute() string {
	if c.Attribute == "" {
		return defaultAttribute
	}
	return c.Attribute
}

// Write returns the transition as a write of a transaction, for
// dynamodedupe.Store.CompleteTx. What the transaction's error means for it is
// told by [Change.Made]. It panics when a required field is missing.
func (c Change) Write(item Item) types.TransactWriteItem {
	u := c.update(item)
	return types.TransactWriteItem{Update: &u}
}

// update is the conditional write, with the item in the answer when it fails.
func (c *Change) update(item Item) types.Update {
	c.check(item)
	u := types.Update{
		TableName:                           &item.Table,
		Key:                                 item.Key,
		ExpressionAttributeNames:            map[string]string{"#once_state": c.attribute()},
		ExpressionAttributeValues:           map[string]types.AttributeValue{":once_to": &types.AttributeValueMemberS{Value: c.To}},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	var conditions, listed []string
	for i, from := range c.From {
		if from == Absent {
			conditions = append(conditions, "attribute_not_exists(#once_state)")
			continue
		}
		name := ":once_from" + strconv.Itoa(i)
		u.ExpressionAttributeValues[name] = &types.AttributeValueMemberS{Value: from}
		listed = append(listed, name)
	}
	if len(listed) > 0 {
		conditions = append(conditions, "#once_state IN ("+strings.Join(listed, ", ")+")")
	}
	u.ConditionExpression = aws.String(strings.Join(conditions, " OR "))
	set := "SET #once_state = :once_to"
	if c.Set != "" {
		set += ", " + c.Set
	}
	u.UpdateExpression = &set
	for name, attribute := range c.Names {
		u.ExpressionAttributeNames[name] = attribute
	}
	for name, value := range c.Values {
		u.ExpressionAttributeValues[name] = value
	}
	return u
}

// check panics on what is a mistake of the program.
func (c *Change) check(item Item) {
	switch {
	case item.Table == "" || len(item.Key) == 0:
		panic("dynamostate: an Item needs Table and Key")
	case len(c.From) == 0 || c.To == "":
		panic("dynamostate: a Change needs From and To")
	}
	for _, from := range c.From {
		if from == c.To || c.past(from) {
			panic("dynamostate: state " + strconv.Quote(from) + " of Change.From is in To or Past")
		}
	}
	for name := range c.Names {
		if strings.HasPrefix(name, "#once_") {
			panic("dynamostate: Change.Names: " + name + " is taken")
		}
	}
	for name := range c.Values {
		if strings.HasPrefix(name, ":once_") {
			panic("dynamostate: Change.Values: " + name + " is taken")
		}
	}
}

// past tells whether state comes after the transition.
func (c *Change) past(state string) bool {
	for _, p := range c.Past {
		if p == state {
			return true
		}
	}
	return false
}
