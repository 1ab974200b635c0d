package ddbtest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// deliverTx runs ten records through a new worker whose handlers count up an
// order each, in the transaction that completes their record.
func (d *dynamo) deliverTx() map[string]error {
	d.Helper()
	recs := make([]*consumer.Record, 10)
	for i := range recs {
		recs[i] = &consumer.Record{ID: fmt.Sprint("record-", i)}
	}
	store := dynamodedupe.New(d.Client(), "dedupe")
	p := batch.New(dedupe.New(store, dedupe.Options{Consumer: "orders"}), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		return store.CompleteTx(ctx, anOrder(rec.ID))
	}), batch.Options{Concurrency: 3})
	out := map[string]error{}
	for rec, err := range p.Process(d.Context(), recs) {
		out[rec.ID] = err
	}
	return out
}

// anOrder counts up the order of that id.
func anOrder(id string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String("orders"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: id}},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

// Wherever a worker is cut off, before a request or before its answer, each
// effect in a transaction is there once when its record is done, and the
// redelivery makes what is missing.
func TestDynamoDBTransactionsCutOff(t *testing.T) {
	for _, answer := range []bool{false, true} {
		for nth := range 12 {
			onDynamoDB(t, func(d *dynamo) {
				if err := dynamodedupe.CreateTable(d.Context(), d.Client(), "orders"); err != nil {
					d.Fatal(err)
				}
				var n atomic.Int64
				d.Fault(func(ddbtest.Request) ddbtest.Action {
					at := int(n.Add(1)) - 1
					return ddbtest.Action{DropResponse: answer && at == nth, DropRequest: at > nth || !answer && at == nth}
				})
				first := d.deliverTx()
				d.wantOrders(func(id string, n string) bool { return n == "1" || n == "" && first[id] != nil })
				d.Fault(nil)
				time.Sleep(time.Minute) // leases end
				if ids := failed(d.deliverTx()); len(ids) > 0 {
					d.Errorf("cut off at request %d: redelivery: %v failed", nth, ids)
				}
				d.wantOrders(func(_ string, n string) bool { return n == "1" })
			})
		}
	}
}

// wantOrders checks how often each order was made; empty is never.
func (d *dynamo) wantOrders(good func(id, n string) bool) {
	d.Helper()
	orders := d.Items("orders")
	for i := range 10 {
		id, n := fmt.Sprint("record-", i), ""
		if v := orders[id]["n"]; v.N != nil {
			n = *v.N
		}
		if !good(id, n) {
			d.Errorf("the order of %s was made %q times", id, n)
		}
	}
}
