package oncetest_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/oncetest"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// A test of a worker on memory: the order comes under another message id each
// time, as after a producer's retry.
func ExampleCheck() {
	testOrders := func(t testing.TB) { // func TestOrders(t *testing.T)
		store := memdedupe.New()
		guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
		oncetest.Check(t, oncetest.Harness{
			Store:   store,
			Handler: consumer.JSON(place),
			Deliver: func(ctx context.Context, h consumer.Handler, n int) error {
				return guard.Middleware()(h).HandleRecord(ctx, &consumer.Record{ID: fmt.Sprint("m-", n), Body: []byte(`{"order_id":"o-1"}`)})
			},
		})
	}
	testOrders(printer{})
	// Output:
	// placing o-1
}

// Without a key of its own that order would be placed for each message.
func ExampleCheck_found() {
	testOrders := func(t testing.TB) {
		store := memdedupe.New()
		guard := dedupe.New(store, dedupe.Options{Consumer: "orders"})
		oncetest.Check(t, oncetest.Harness{
			Store:   store,
			Handler: consumer.JSON(place),
			Deliver: func(ctx context.Context, h consumer.Handler, n int) error {
				return guard.Middleware()(h).HandleRecord(ctx, &consumer.Record{ID: fmt.Sprint("m-", n), Body: []byte(`{"order_id":"o-1"}`)})
			},
		})
	}
	testOrders(printer{})
	// Output:
	// placing o-1
	// oncetest: delivery 2: the same work has another key, "v1/s6:orders/s3:m-2" after "v1/s6:orders/s3:m-1": take the key from what all its deliveries have
}

// On DynamoDB, with the effect in the transaction that completes the record:
// a worker that dies after it has taken effect does not repeat it.
func ExampleCheck_dynamoDB() {
	client := ddbtest.New(ddbtest.Options{}).Client() // tests of yours: a table in DynamoDB, or a stand-in for it
	for _, table := range []string{"dedupe", "stock"} {
		if err := dynamodedupe.CreateTable(context.Background(), client, table); err != nil {
			log.Fatal(err)
		}
	}
	store := dynamodedupe.New(client, "dedupe")
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
	sell := func(ctx context.Context, _ *consumer.Record) error {
		return store.CompleteTx(ctx, types.TransactWriteItem{Update: &types.Update{
			TableName:                 aws.String("stock"),
			Key:                       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "teapot"}},
			UpdateExpression:          aws.String("ADD sold :one"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
		}})
	}

	testSell := func(t testing.TB) {
		oncetest.Check(t, oncetest.Harness{
			Store:   store,
			Handler: consumer.HandlerFunc(sell),
			Deliver: func(ctx context.Context, h consumer.Handler, n int) error {
				return guard.Middleware()(h).HandleRecord(ctx, &consumer.Record{ID: fmt.Sprint("m-", n), Body: []byte(`{"order_id":"o-1"}`)})
			},
			Effects: func() int { return sold(t.Context(), client) },
		})
	}
	testSell(printer{})
	fmt.Println("sold:", sold(context.Background(), client))
	// Output:
	// sold: 1
}

type order struct {
	ID string `json:"order_id"`
}

func place(_ context.Context, o order) error {
	fmt.Println("placing", o.ID)
	return nil
}

// sold counts the teapots.
func sold(ctx context.Context, client *dynamodb.Client) (n int) {
	out, err := client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String("stock"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "teapot"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if v, ok := out.Item["sold"].(*types.AttributeValueMemberN); ok {
		_, _ = fmt.Sscan(v.Value, &n)
	}
	return n
}

// printer stands in for the *testing.T that an example does not have.
type printer struct{ testing.TB }

func (printer) Helper()                           {}
func (printer) Context() context.Context          { return context.Background() }
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
