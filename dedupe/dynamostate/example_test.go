package dynamostate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamostate"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// The message that ships an order comes twice, and once more when the order
// has been returned.
func ExampleTransition() {
	ctx := context.Background()
	client := ddbtest.New(ddbtest.Options{}).Client() // a worker uses dynamodb.NewFromConfig
	order := placed(ctx, client, "PAID")

	ship := dynamostate.Change{From: []string{"PAID"}, To: "SHIPPED"}
	for range 2 {
		r, err := dynamostate.Transition(ctx, client, order, ship)
		fmt.Println(r.Outcome, err)
	}
	back := dynamostate.Change{From: []string{"SHIPPED"}, To: "RETURNED"}
	r, err := dynamostate.Transition(ctx, client, order, back)
	fmt.Println(r.Outcome, err)
	_, err = dynamostate.Transition(ctx, client, order, ship)
	fmt.Println(err)
	// Output:
	// changed <nil>
	// already <nil>
	// changed <nil>
	// dynamostate: from "PAID" to "SHIPPED": the item is "RETURNED"
}

// An order is charged between two transitions: the guard says who does it, the
// last transition and the completion of the message are one transaction.
func ExampleChange_Made() {
	ctx := context.Background()
	client := ddbtest.New(ddbtest.Options{}).Client() // a worker uses dynamodb.NewFromConfig
	order := placed(ctx, client, "PENDING")
	if err := dynamodedupe.CreateTable(ctx, client, "dedupe"); err != nil {
		log.Fatal(err)
	}

	store := dynamodedupe.New(client, "dedupe")
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
	start := dynamostate.Change{From: []string{"PENDING"}, To: "PROCESSING", Past: []string{"COMPLETED"}}
	handle := func(ctx context.Context, _ *consumer.Record) error {
		r, err := dynamostate.Transition(ctx, client, order, start)
		if err != nil || r.State == "COMPLETED" {
			return err
		}
		fmt.Println(r.Outcome, "charge", r.Item["total"].(*types.AttributeValueMemberN).Value) // with the claim's key
		finish := dynamostate.Change{
			From: []string{"PROCESSING"}, To: "COMPLETED",
			Set:    "charge_id = :id",
			Values: map[string]types.AttributeValue{":id": &types.AttributeValueMemberS{Value: "ch-7"}},
		}
		return finish.Made(store.CompleteTx(ctx, finish.Write(order)), 0)
	}

	handler := guard.Middleware()(consumer.HandlerFunc(handle))
	for range 3 { // the message is delivered three times
		fmt.Println(handler.HandleRecord(ctx, &consumer.Record{Body: []byte(`{"order_id":"order-1"}`)}))
	}
	// Output:
	// changed charge 12
	// <nil>
	// <nil>
	// <nil>
}

// placed puts an order in that state.
func placed(ctx context.Context, client *dynamodb.Client, state string) dynamostate.Item {
	if err := dynamodedupe.CreateTable(ctx, client, "orders"); err != nil {
		log.Fatal(err)
	}
	key := &types.AttributeValueMemberS{Value: "order-1"}
	_, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: map[string]types.AttributeValue{
		"pk": key, "state": &types.AttributeValueMemberS{Value: state}, "total": &types.AttributeValueMemberN{Value: "12"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	return dynamostate.Item{Table: "orders", Key: map[string]types.AttributeValue{"pk": key}}
}
