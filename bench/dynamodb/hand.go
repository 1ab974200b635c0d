package main

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// byHand is the handler that one writes by hand: each record is claimed by a
// PutItem and completed by an UpdateItem, one record after another or some at
// a time. A refused PutItem returns the item that stands in its way.
type byHand struct {
	client     *dynamodb.Client
	h          consumer.Handler
	goroutines int
}

func (c byHand) process(ctx context.Context, recs []*consumer.Record) error {
	if c.goroutines == 1 {
		for _, rec := range recs {
			if err := c.one(ctx, rec); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(recs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(c.goroutines, len(recs)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = c.one(ctx, recs[i])
			}
		})
	}
	for i := range recs {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

func (c byHand) one(ctx context.Context, rec *consumer.Record) error {
	key, owner := text(consumerName+"#"+rec.ID), text(rand.Text())
	mine, err := c.claim(ctx, key, owner)
	if err != nil || !mine {
		return err
	}
	if err := c.h.HandleRecord(ctx, rec); err != nil {
		return err
	}
	return c.complete(ctx, key, owner)
}

var errBusy = errors.New("in progress elsewhere")

// claim reports false when the work is done already.
func (c byHand) claim(ctx context.Context, key, owner types.AttributeValue) (bool, error) {
	now := time.Now()
	_, err := c.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(table),
		Item: map[string]types.AttributeValue{
			"pk": key, "owner": owner, "state": text("PROCESSING"),
			"lease_end": millis(now.Add(lease)), "ttl": seconds(now.Add(retention)),
		},
		ConditionExpression:      aws.String("attribute_not_exists(pk) OR #ttl < :seconds OR (#state = :processing AND lease_end < :now)"),
		ExpressionAttributeNames: map[string]string{"#state": "state", "#ttl": "ttl"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":processing": text("PROCESSING"), ":now": millis(now), ":seconds": seconds(now),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	refusal, refused := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !refused {
		return err == nil, err
	}
	switch {
	case textOf(refusal.Item["state"]) == "COMPLETED":
		return false, nil
	case textOf(refusal.Item["owner"]) == textOf(owner): // the SDK tried twice
		return true, nil
	}
	return false, errBusy
}

func (c byHand) complete(ctx context.Context, key, owner types.AttributeValue) error {
	_, err := c.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                aws.String(table),
		Key:                      map[string]types.AttributeValue{"pk": key},
		UpdateExpression:         aws.String("SET #state = :completed, #ttl = :ttl REMOVE lease_end"),
		ConditionExpression:      aws.String("#owner = :owner"),
		ExpressionAttributeNames: map[string]string{"#state": "state", "#ttl": "ttl", "#owner": "owner"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":completed": text("COMPLETED"), ":ttl": seconds(time.Now().Add(retention)), ":owner": owner,
		},
	})
	return err
}
