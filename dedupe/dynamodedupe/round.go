package dynamodedupe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Quotas of DynamoDB, and the bytes that one request of ours has about at
// most.
const (
	maxStatements = 25
	maxReads      = 100
	maxRequest    = 4 << 20
)

// round makes the requests that write and read these lanes, some at a time.
func (c *call) round(ctx context.Context, writes, reads []*lane) {
	var requests []func()
	var shared []*lane
	for _, l := range writes {
		if c.s.o.SingleItem || l.alone {
			requests = append(requests, func() { c.put(ctx, l) })
		} else {
			shared = append(shared, l)
		}
	}
	for len(shared) > 0 {
		var chunk []*lane
		chunk, shared = cut(shared)
		if len(chunk) == 1 {
			requests = append(requests, func() { c.put(ctx, chunk[0]) })
		} else {
			requests = append(requests, func() { c.execute(ctx, chunk) })
		}
	}
	for chunk := range slices.Chunk(reads, maxReads) {
		requests = append(requests, func() { c.read(ctx, chunk) })
	}
	inParallel(min(c.s.o.Concurrency, len(requests)), requests)
}

// cut takes the lanes of one request off the front.
func cut(lanes []*lane) (chunk, rest []*lane) {
	size, n := 0, 0
	for n < len(lanes) && n < maxStatements {
		size += lanes[n].write.size()
		if n > 0 && size > maxRequest {
			break
		}
		n++
	}
	return lanes[:n], lanes[n:]
}

// inParallel runs all functions, n at a time, and waits for them.
func inParallel(n int, all []func()) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1); i <= int64(len(all)); i = next.Add(1) {
			all[i-1]()
		}
	}
	var wg sync.WaitGroup
	for range n - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// put writes one lane.
func (c *call) put(ctx context.Context, l *lane) {
	ctx, end := c.begin(ctx, []*lane{l})
	if ctx == nil {
		return
	}
	defer end()
	_, err := c.s.client.PutItem(ctx, l.write.put(c.s.table), quickly)
	if err == nil {
		c.accepted(l)
		return
	}
	if refusal, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		c.refused(l, refusal.Item)
		return
	}
	err = requestError("dynamodb:PutItem", c.s.table, err)
	if conflictOnly(err) {
		c.retry(l, err)
		return
	}
	c.abandon([]*lane{l}, err)
}

// conflictOnly reports whether err is one of those that pass and that the SDK
// does not retry.
func conflictOnly(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && (api.ErrorCode() == "TransactionConflictException" || api.ErrorCode() == "ReplicatedWriteConflictException")
}

// execute writes a chunk in one request.
func (c *call) execute(ctx context.Context, chunk []*lane) {
	in := &dynamodb.BatchExecuteStatementInput{Statements: make([]types.BatchStatementRequest, len(chunk))}
	statements := statements{table: quote(c.s.table)}
	for i, l := range chunk {
		in.Statements[i] = statements.of(&l.write)
	}
	ctx, end := c.begin(ctx, chunk)
	if ctx == nil {
		return
	}
	defer end()
	out, err := c.s.client.BatchExecuteStatement(ctx, in, quickly)
	if err == nil && len(out.Responses) != len(chunk) {
		err = fmt.Errorf("%d answers to %d statements", len(out.Responses), len(chunk))
	}
	if err != nil {
		c.abandon(chunk, requestError("dynamodb:PartiQLInsert and dynamodb:PartiQLUpdate", c.s.table, err))
		return
	}
	for i, l := range chunk {
		if e := out.Responses[i].Error; e != nil {
			c.statementFailed(l, e)
		} else {
			c.accepted(l)
		}
	}
}

// statementFailed decides what the error of one statement means for its lane.
func (c *call) statementFailed(l *lane, e *types.BatchStatementError) {
	err := &StatementError{Code: string(e.Code), Message: aws.ToString(e.Message)}
	switch e.Code {
	case types.BatchStatementErrorCodeEnumDuplicateItem, types.BatchStatementErrorCodeEnumConditionalCheckFailed:
		c.refused(l, e.Item)
	case types.BatchStatementErrorCodeEnumThrottlingError,
		types.BatchStatementErrorCodeEnumProvisionedThroughputExceeded,
		types.BatchStatementErrorCodeEnumRequestLimitExceeded,
		types.BatchStatementErrorCodeEnumTransactionConflict,
		types.BatchStatementErrorCodeEnumInternalServerError: // applied or not: the retry finds out
		c.retry(l, err)
	case types.BatchStatementErrorCodeEnumValidationError:
		if l.alone {
			c.fail(l, err)
			return
		}
		l.alone = true // the same write in DynamoDB's own words
	default: // denied, no such table, and what is not known yet
		c.fail(l, err)
	}
}

// read reads a chunk of lanes in one request.
func (c *call) read(ctx context.Context, chunk []*lane) {
	keys := make([]map[string]types.AttributeValue, len(chunk))
	byKey := make(map[dedupe.Key]*lane, len(chunk))
	for i, l := range chunk {
		keys[i] = map[string]types.AttributeValue{attrKey: &types.AttributeValueMemberS{Value: string(l.key)}}
		byKey[l.key] = l
	}
	ctx, end := c.begin(ctx, chunk)
	if ctx == nil {
		return
	}
	defer end()
	out, err := c.s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{c.s.table: {Keys: keys, ConsistentRead: aws.Bool(true)}},
	}, quickly)
	if err != nil {
		c.abandon(chunk, requestError("dynamodb:BatchGetItem", c.s.table, err))
		return
	}
	progress := false
	for _, items := range out.Responses { // of one table, whatever the answer calls it
		for _, item := range items {
			if l := byKey[keyOf(item)]; l != nil {
				delete(byKey, l.key)
				c.saw(l, item)
				progress = true
			}
		}
	}
	for _, left := range out.UnprocessedKeys {
		for _, key := range left.Keys {
			if l := byKey[keyOf(key)]; l != nil {
				delete(byKey, l.key)
				if !progress { // else it may be the size of the answer that kept it out
					c.retry(l, fmt.Errorf("dynamodedupe: read of key %q was throttled", l.key))
				}
			}
		}
	}
	for _, l := range byKey {
		c.saw(l, nil)
	}
}

func keyOf(item map[string]types.AttributeValue) dedupe.Key {
	if s, ok := item[attrKey].(*types.AttributeValueMemberS); ok {
		return dedupe.Key(s.Value)
	}
	return ""
}
