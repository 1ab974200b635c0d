package dynamodedupe_test

import (
	"context"
	"fmt"
	"log"
	"time"

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
