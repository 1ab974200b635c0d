package powertools_test

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// A Python function named orders handled o-1 with process_order in app.py,
// decorated with event_key_jmespath="powertools_json(body).order_id". Its
// successor in Go takes over.
func ExampleDone() {
	ctx := context.Background()
	client := powertoolsTable(ctx, "orders.app.process_order#cbcbdb948de16bfe7e49a81f91500ab1")

	place := func(_ context.Context, o order) error {
		fmt.Println("placing", o.ID)
		return nil
	}
	moved := powertools.Done(client, "idempotency", powertools.Options{
		Library: powertools.Python,
		Prefix:  "orders.app.process_order",
		Data:    powertools.Field("/order_id"),
	})
	guard := dedupe.New(memdedupe.New(), dedupe.Options{
		Consumer: "orders",
		Key:      dedupe.Field("/order_id"),
	})
	h := consumer.Chain(consumer.JSON(place), guard.Middleware(), moved) // lambdasource.SQS(guard, moved(consumer.JSON(place)))

	for _, id := range []string{"o-1", "o-2", "o-1"} {
		rec := &consumer.Record{ID: "m-" + id, Body: []byte(`{"order_id":` + strconv.Quote(id) + `}`)}
		fmt.Println(id, "acknowledge:", h.HandleRecord(ctx, rec) == nil)
	}
	// Output:
	// o-1 acknowledge: true
	// placing o-2
	// o-2 acknowledge: true
	// o-1 acknowledge: true
}

// Before the switch: is this the id of the item that Powertools wrote for the
// message?
func ExampleOptions_Key() {
	o := powertools.Options{
		Library: powertools.TypeScript,
		Prefix:  "orders",
		Data:    powertools.Fields("/tenant", "/order_id"), // powertools_json(body).[tenant, order_id]
	}
	fmt.Println(o.Key(&consumer.Record{ID: "m-1", Body: []byte(`{"order_id":1001,"tenant":"t-1"}`)}))
	// Output:
	// orders#aBZRTa8gtdv0yfGWov/ezw== <nil>
}

type order struct {
	ID string `json:"order_id"`
}

// powertoolsTable returns a client of a server with a Powertools table in
// which the item with that id is completed.
func powertoolsTable(ctx context.Context, id string) *dynamodb.Client {
	client := ddbtest.New(ddbtest.Options{}).Client()
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            aws.String("idempotency"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("idempotency"), Item: map[string]types.AttributeValue{
		"id":         &types.AttributeValueMemberS{Value: id},
		"status":     &types.AttributeValueMemberS{Value: "COMPLETED"},
		"expiration": &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)},
		"data":       &types.AttributeValueMemberS{Value: "null"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	return client
}
