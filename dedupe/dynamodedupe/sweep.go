package dynamodedupe

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// SweepClient is what [Sweep] uses of a [dynamodb.Client].
type SweepClient interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// Sweep deletes the items that expired more than an hour ago, as a time to
// live would, and returns how many. It is for tables that cannot have one.
// Run it from a schedule, in one place: it reads the whole table.
func Sweep(ctx context.Context, client SweepClient, table string) (deleted int, err error) {
	names := map[string]string{"#ttl": attrTTL}
	values := map[string]types.AttributeValue{
		":due": &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)},
	}
	in := &dynamodb.ScanInput{
		TableName:                 &table,
		FilterExpression:          aws.String("#ttl < :due"),
		ProjectionExpression:      aws.String(attrKey),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	}
	for {
		out, err := client.Scan(ctx, in)
		if err != nil {
			return deleted, requestError("dynamodb:Scan", table, err)
		}
		for _, item := range out.Items {
			_, err := client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName:                 &table,
				Key:                       map[string]types.AttributeValue{attrKey: item[attrKey]},
				ConditionExpression:       aws.String("#ttl < :due"), // it may have been claimed since
				ExpressionAttributeNames:  names,
				ExpressionAttributeValues: values,
			})
			if _, claimed := errors.AsType[*types.ConditionalCheckFailedException](err); claimed {
				continue
			}
			if err != nil {
				return deleted, requestError("dynamodb:DeleteItem", table, err)
			}
			deleted++
		}
		if len(out.LastEvaluatedKey) == 0 {
			return deleted, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
