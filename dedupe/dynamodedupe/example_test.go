package dynamodedupe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

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
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders"})
	fmt.Println(guard.ClaimsLate())
	// Output:
	// false
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
