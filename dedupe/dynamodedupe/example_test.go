package dynamodedupe_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

func ExampleNew() {
	ctx := context.Background()
	server := ddbtest.New(ddbtest.Options{}) // a worker uses dynamodb.NewFromConfig
	client := server.Client()
	if err := dynamodedupe.CreateTable(ctx, client, "dedupe"); err != nil {
		log.Fatal(err)
	}

	store := dynamodedupe.New(client, "dedupe")
	if err := store.Check(ctx); err != nil {
		log.Fatal(err)
	}
	for _, worker := range []byte{1, 2} {
		verdicts, err := store.Apply(ctx, []dedupe.Op{{
			Kind:      dedupe.OpClaim,
			Key:       "v1:orders:o-1",
			Owner:     dedupe.Owner{worker},
			LeaseEnd:  dedupe.MillisOf(time.Now().Add(time.Minute)),
			RetainEnd: dedupe.MillisOf(time.Now().Add(24 * time.Hour)),
		}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(verdicts[0].Outcome)
	}
	// Output:
	// won
	// busy
}

func ExampleHTTPClient() {
	client := dynamodb.New(dynamodb.Options{
		Region:     "eu-central-1",
		HTTPClient: dynamodedupe.HTTPClient(),
	})
	store := dynamodedupe.New(client, "dedupe", dynamodedupe.Options{Concurrency: 8})
	fmt.Printf("%T\n", store)
	// Output:
	// *dynamodedupe.Store
}

// The order and the completion of its message are one transaction: whatever
// happens to the worker, the stock is counted down once.
func ExampleStore_CompleteTx() {
	ctx := context.Background()
	client := ddbtest.New(ddbtest.Options{}).Client() // a worker uses dynamodb.NewFromConfig
	for _, table := range []string{"dedupe", "stock"} {
		if err := dynamodedupe.CreateTable(ctx, client, table); err != nil {
			log.Fatal(err)
		}
	}

	store := dynamodedupe.New(client, "dedupe")
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders"})
	sell := func(ctx context.Context, _ *consumer.Record) error {
		return store.CompleteTx(ctx, types.TransactWriteItem{Update: &types.Update{
			TableName:                 aws.String("stock"),
			Key:                       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "teapot"}},
			UpdateExpression:          aws.String("ADD sold :one"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
		}})
	}

	handler := guard.Middleware()(consumer.HandlerFunc(sell))
	for range 3 { // the message is delivered three times
		fmt.Println(handler.HandleRecord(ctx, &consumer.Record{ID: "order-1"}))
	}
	out, err := client.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("stock")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sold:", out.Items[0]["sold"].(*types.AttributeValueMemberN).Value)
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// sold: 1
}
