package sim

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// clocked is the client of a process whose clock is ahead by offset. All
// processes of a bubble share one clock, so each time that such a process
// writes or compares is moved on its way to the table, and moved back on its
// way from there.
type clocked struct {
	dynamodedupe.Client
	offset time.Duration
}

type item = map[string]types.AttributeValue

// moved returns it with its times moved by d.
func moved(it item, prefix string, d time.Duration) item {
	if it == nil || d == 0 {
		return it
	}
	out := make(item, len(it))
	for name, v := range it {
		out[name] = v
	}
	for _, name := range []string{"lease_end", "retain_end", "created", "completed"} {
		if v, ok := out[prefix+name]; ok {
			out[prefix+name] = movedBy(v, d)
		}
	}
	return out
}

func movedBy(v types.AttributeValue, d time.Duration) types.AttributeValue {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return v
	}
	at, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || at == 0 {
		return v
	}
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(at+d.Milliseconds(), 10)}
}

var (
	placeholders = regexp.MustCompile(`["'](\w+)["'](?:=|:)\?`)
	times        = regexp.MustCompile(`^(lease_end|retain_end|created|completed)$`)
)

// BatchExecuteStatement implements [dynamodedupe.Client].
func (c clocked) BatchExecuteStatement(ctx context.Context, in *dynamodb.BatchExecuteStatementInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchExecuteStatementOutput, error) {
	if c.offset == 0 {
		return c.Client.BatchExecuteStatement(ctx, in, o...)
	}
	ahead := *in
	ahead.Statements = make([]types.BatchStatementRequest, len(in.Statements))
	for i, s := range in.Statements {
		params := make([]types.AttributeValue, len(s.Parameters))
		copy(params, s.Parameters)
		for k, name := range placeholders.FindAllStringSubmatch(*s.Statement, -1) {
			if times.MatchString(name[1]) {
				params[k] = movedBy(params[k], c.offset)
			}
		}
		s.Parameters = params
		ahead.Statements[i] = s
	}
	out, err := c.Client.BatchExecuteStatement(ctx, &ahead, o...)
	if err == nil {
		for i := range out.Responses {
			out.Responses[i].Item = moved(out.Responses[i].Item, "", -c.offset)
			if e := out.Responses[i].Error; e != nil {
				e.Item = moved(e.Item, "", -c.offset)
			}
		}
	}
	return out, err
}

// PutItem implements [dynamodedupe.Client].
func (c clocked) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	ahead := *in
	ahead.Item = moved(in.Item, "", c.offset)
	ahead.ExpressionAttributeValues = moved(in.ExpressionAttributeValues, ":", c.offset)
	out, err := c.Client.PutItem(ctx, &ahead, o...)
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		refused.Item = moved(refused.Item, "", -c.offset)
	}
	return out, err
}

// BatchGetItem implements [dynamodedupe.Client].
func (c clocked) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := c.Client.BatchGetItem(ctx, in, o...)
	if err == nil {
		for _, items := range out.Responses {
			for i := range items {
				items[i] = moved(items[i], "", -c.offset)
			}
		}
	}
	return out, err
}

// TransactWriteItems implements [dynamodedupe.Client].
func (c clocked) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	ahead := *in
	ahead.TransactItems = make([]types.TransactWriteItem, len(in.TransactItems))
	for i, t := range in.TransactItems {
		if t.Put != nil {
			put := *t.Put
			put.Item = moved(put.Item, "", c.offset)
			put.ExpressionAttributeValues = moved(put.ExpressionAttributeValues, ":", c.offset)
			t.Put = &put
		}
		ahead.TransactItems[i] = t
	}
	out, err := c.Client.TransactWriteItems(ctx, &ahead, o...)
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for i := range cancelled.CancellationReasons {
			cancelled.CancellationReasons[i].Item = moved(cancelled.CancellationReasons[i].Item, "", -c.offset)
		}
	}
	return out, err
}
