package dynamostate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client is what [Transition] uses of a [dynamodb.Client].
type Client interface {
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

// Outcome is what became of a transition. The zero Outcome is none, and comes
// with an error.
type Outcome uint8

// The outcomes.
const (
	// Changed: this request changed the item.
	Changed Outcome = iota + 1
	// Already: the item is in the state, or in one of Change.Past; nothing
	// was written. It may have been an earlier copy of this very request.
	Already
)

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case Changed:
		return "changed"
	case Already:
		return "already"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Result is the answer to a transition.
type Result struct {
	Outcome Outcome
	State   string // the item's now: Change.To, or one of Change.Past

	// Item is the whole item: after the change, or as it was found.
	Item map[string]types.AttributeValue
}

// ErrState is matched by a [*StateError].
var ErrState = errors.New("dynamostate: the item is in another state")

// StateError is returned when the item is in a state that is neither before
// nor after the transition. Nothing was written.
type StateError struct {
	From  []string
	To    string
	State string // the item's; empty when it has none that is a string

	// Item is the item as it was found; empty when there is none.
	Item map[string]types.AttributeValue
}

// Error implements error. It tells nothing of the item but its state.
func (e *StateError) Error() string {
	what := "the item has no state"
	switch {
	case len(e.Item) == 0:
		what = "there is no item"
	case e.State != "":
		what = fmt.Sprintf("the item is %q", e.State)
	}
	from := fmt.Sprintf("%q", e.From)
	return fmt.Sprintf("dynamostate: from %s to %q: %s", strings.Trim(from, "[]"), e.To, what)
}

// Is reports whether target is ErrState.
func (e *StateError) Is(target error) bool { return target == ErrState }

// Transition makes the change c of an item, unless it was made before: both
// are nil errors. A [*StateError] says that the item is in neither state: the
// message came before its time, which a retry mends, or the item took another
// way. After any other error the change may or may not have been made; to
// repeat it is safe. It panics when a required field is missing.
func Transition(ctx context.Context, client Client, item Item, c Change) (Result, error) {
	u := c.update(item)
	out, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           u.TableName,
		Key:                                 u.Key,
		UpdateExpression:                    u.UpdateExpression,
		ConditionExpression:                 u.ConditionExpression,
		ExpressionAttributeNames:            u.ExpressionAttributeNames,
		ExpressionAttributeValues:           u.ExpressionAttributeValues,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return c.found(refused.Item)
	}
	if err != nil {
		return Result{}, fmt.Errorf("dynamostate: to %q in table %q: %w", c.To, item.Table, err)
	}
	return Result{Outcome: Changed, State: c.To, Item: out.Attributes}, nil
}

// Made says what the error of a transaction means for the transition that
// [Change.Write] made its nth write, counted from 0: nil when the transaction
// was committed or the transition had been made before, a [*StateError] when
// the item is in neither state, and else err itself.
//
// A transaction that is refused because of a transition made before writes
// nothing else either. That is right where the other writes always go along
// with this transition: then they were made with it.
func (c Change) Made(err error, n int) error {
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || n >= len(cancelled.CancellationReasons) {
		return err
	}
	reason := cancelled.CancellationReasons[n]
	if aws.ToString(reason.Code) != "ConditionalCheckFailed" {
		return err
	}
	_, err = c.found(reason.Item)
	return err
}

// found says what a refusal means, from the item that came with it.
func (c *Change) found(item map[string]types.AttributeValue) (Result, error) {
	state := ""
	if s, ok := item[c.attribute()].(*types.AttributeValueMemberS); ok {
		state = s.Value
	}
	if state != "" && (state == c.To || c.past(state)) {
		return Result{Outcome: Already, State: state, Item: item}, nil
	}
	return Result{}, &StateError{From: c.From, To: c.To, State: state, Item: item}
}
