package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
)

const (
	maxStatements = 25
	lease         = 31 * time.Second
	retention     = 14 * 24 * time.Hour
)

// bare makes the requests that onlyonce makes and nothing else: no leases kept
// alive, no retries of its own, no panics contained, no twins, no order. It
// is the least that the way onlyonce takes can cost with this SDK.
type bare struct {
	client *dynamodb.Client
	h      consumer.Handler
}

func newBare(client *dynamodb.Client, h consumer.Handler) bare { return bare{client, h} }

// The statements that package dynamodedupe makes; a test compares them.
const (
	insertStatement = `INSERT INTO "` + table + `" VALUE {'pk':?,'v':?,'state':?,'owner':?,'fence':?,'claims':?,'failures':?,` +
		`'lease_end':?,'retain_end':?,'created':?,'ttl':?}`
	completeStatement = `UPDATE "` + table + `" SET "state"=? SET "retain_end"=? SET "completed"=? ` +
		`WHERE "pk"=? AND "owner"=? AND "fence"=? AND "state"=? AND "lease_end"=? AND "retain_end"=?`
)

func (c bare) process(ctx context.Context, recs []*consumer.Record) error {
	b := newClaims(recs)
	mine, err := c.claim(ctx, b)
	if err != nil {
		return err
	}
	for _, i := range mine {
		if err := c.h.HandleRecord(ctx, recs[i]); err != nil {
			return err
		}
	}
	return c.complete(ctx, b, mine)
}

// claims are what a batch writes first.
type claims struct {
	keys, owners                           []types.AttributeValue
	processing, fence, leaseEnd, retainEnd types.AttributeValue
	ttl                                    types.AttributeValue
}

func newClaims(recs []*consumer.Record) *claims {
	now := time.Now()
	b := &claims{
		keys: make([]types.AttributeValue, len(recs)), owners: newOwners(len(recs)),
		processing: text("PROCESSING"), fence: millis(now), leaseEnd: millis(now.Add(lease)),
		retainEnd: millis(now.Add(retention)), ttl: seconds(now.Add(retention)),
	}
	for i, rec := range recs {
		b.keys[i] = text("v1s5:" + consumerName + "s" + strconv.Itoa(len(rec.ID)) + ":" + rec.ID)
	}
	return b
}

// claim inserts the rows and returns the places of those that are ours: of
// the others it makes sure that they are completed.
func (c bare) claim(ctx context.Context, b *claims) (mine []int, err error) {
	one, none := number("1"), number("0")
	inserts := make([]types.BatchStatementRequest, len(b.keys))
	for i, key := range b.keys {
		inserts[i] = types.BatchStatementRequest{
			Statement: aws.String(insertStatement),
			Parameters: []types.AttributeValue{
				key, one, b.processing, b.owners[i], b.fence, one, none, b.leaseEnd, b.retainEnd, b.fence, b.ttl,
			},
		}
	}
	results, err := c.execute(ctx, inserts)
	if err != nil {
		return nil, err
	}
	others := map[string]int{} // places by key
	for i, r := range results {
		switch {
		case r.Error == nil:
			mine = append(mine, i)
		case r.Error.Code == types.BatchStatementErrorCodeEnumDuplicateItem:
			others[textOf(b.keys[i])] = i
		default:
			return nil, rowError(b.keys[i], string(r.Error.Code))
		}
	}
	items, err := c.read(ctx, others)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		switch i := others[textOf(item["pk"])]; {
		case textOf(item["state"]) == "COMPLETED":
		case textOf(item["owner"]) == textOf(b.owners[i]): // the SDK tried twice
			mine = append(mine, i)
		default:
			return nil, rowError(b.keys[i], textOf(item["state"]))
		}
	}
	return mine, nil
}

// complete completes the rows in these places.
func (c bare) complete(ctx context.Context, b *claims, mine []int) error {
	now := time.Now()
	completed, completedAt, retainEnd := text("COMPLETED"), millis(now), millis(now.Add(retention))
	updates := make([]types.BatchStatementRequest, len(mine))
	for n, i := range mine {
		updates[n] = types.BatchStatementRequest{
			Statement: aws.String(completeStatement),
			Parameters: []types.AttributeValue{
				completed, retainEnd, completedAt, // the TTL, in seconds, stays the same
				b.keys[i], b.owners[i], b.fence, b.processing, b.leaseEnd, b.retainEnd,
			},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
	}
	results, err := c.execute(ctx, updates)
	if err != nil {
		return err
	}
	for n, r := range results {
		if e, i := r.Error, mine[n]; e != nil && textOf(e.Item["owner"]) != textOf(b.owners[i]) { // else the SDK tried twice
			return rowError(b.keys[i], string(e.Code))
		}
	}
	return nil
}

// execute runs statements, as many in a request as it takes.
func (c bare) execute(ctx context.Context, statements []types.BatchStatementRequest) ([]types.BatchStatementResponse, error) {
	results := make([]types.BatchStatementResponse, 0, len(statements))
	for chunk := range slices.Chunk(statements, maxStatements) {
		out, err := c.client.BatchExecuteStatement(ctx, &dynamodb.BatchExecuteStatementInput{Statements: chunk})
		if err != nil {
			return nil, err
		}
		if len(out.Responses) != len(chunk) {
			return nil, fmt.Errorf("%d answers to %d statements", len(out.Responses), len(chunk))
		}
		results = append(results, out.Responses...)
	}
	return results, nil
}

// read returns the items of keys, a hundred at most.
func (c bare) read(ctx context.Context, keys map[string]int) ([]map[string]types.AttributeValue, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	wanted := make([]map[string]types.AttributeValue, 0, len(keys))
	for key := range keys {
		wanted = append(wanted, map[string]types.AttributeValue{"pk": text(key)})
	}
	out, err := c.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{table: {Keys: wanted, ConsistentRead: aws.Bool(true)}},
	})
	if err != nil {
		return nil, err
	}
	items := out.Responses[table]
	if len(items) != len(keys) {
		return nil, fmt.Errorf("%d items of %d keys", len(items), len(keys))
	}
	return items, nil
}

// newOwners returns n tokens that nobody else has.
func newOwners(n int) []types.AttributeValue {
	var base [16]byte
	_, _ = rand.Read(base[:]) // never fails
	owners := make([]types.AttributeValue, n)
	for i := range owners {
		binary.BigEndian.PutUint32(base[12:], uint32(i))
		owners[i] = text(hex.EncodeToString(base[:]))
	}
	return owners
}

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

// textOf returns the string that v is, or nothing.
func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func millis(t time.Time) types.AttributeValue {
	return number(strconv.FormatInt(t.UnixMilli(), 10))
}

func seconds(t time.Time) types.AttributeValue {
	return number(strconv.FormatInt(t.Unix(), 10))
}
