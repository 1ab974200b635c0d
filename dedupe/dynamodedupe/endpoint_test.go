package dynamodedupe_test

import (
	"context"
	"crypto/rand"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// endpoint returns a client of a real server, or skips the test.
func endpoint(t *testing.T) *dynamodb.Client {
	t.Helper()
	url := os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("ONLYONCE_DYNAMODB_ENDPOINT is not set: scripts/ministack.sh go test ./dedupe/dynamodedupe sets it")
	}
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(url),
		HTTPClient:   dynamodedupe.HTTPClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "test"}, nil
		}),
	})
}

// The store keeps every rule of the protocol on a server over TCP as well, in
// both of its ways to write.
func TestEndpointConformance(t *testing.T) {
	client := endpoint(t)
	for name, o := range map[string]dynamodedupe.Options{
		"statements":   {Timeout: 20 * time.Second},
		"single items": {Timeout: 20 * time.Second, SingleItem: true},
	} {
		t.Run(name, func(t *testing.T) {
			dedupetest.Run(t, dedupetest.Harness{New: func(t *testing.T) dedupe.Store {
				name := "dedupe-" + rand.Text()
				if err := dynamodedupe.CreateTable(t.Context(), client, name); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_, err := client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name})
					if err != nil {
						t.Error(err)
					}
				})
				s := dynamodedupe.New(client, name, o)
				if err := s.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				return s
			}})
		})
	}
}

// puts counts the items that are written one by one.
type puts struct {
	dynamodedupe.Client
	n atomic.Int32
}

func (p *puts) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	p.n.Add(1)
	return p.Client.PutItem(ctx, in, o...)
}

// The server understands every statement that the store makes: none falls
// back to a PutItem.
func TestEndpointStatements(t *testing.T) {
	client := endpoint(t)
	name := "dedupe-" + rand.Text()
	if err := dynamodedupe.CreateTable(t.Context(), client, name); err != nil {
		t.Fatal(err)
	}
	counted := &puts{Client: client}
	everyStatement(t, dynamodedupe.New(counted, name), dynamodedupe.New(counted, name))
	if n := counted.n.Load(); n != 0 {
		t.Errorf("%d items were written by PutItem, want none", n)
	}
}

// Transactions are atomic and fenced on a server over TCP as well.
func TestEndpointCompleteTx(t *testing.T) {
	client := endpoint(t)
	name := "dedupe-" + rand.Text()
	if err := dynamodedupe.CreateTable(t.Context(), client, name); err != nil {
		t.Fatal(err)
	}
	s := newShop(t, client, client, name)
	bothOrNeither(s)
	overtaken(s, func(*shop) { s.giveAway() })

	lost := newShop(t, client, &forgetful{Client: client, lost: true}, name)
	lost.wantIs(lost.deliver("lost", func(ctx context.Context) error { return lost.store.CompleteTx(ctx, lost.fresh("lost")) }), nil)
	lost.wantRan(1)
	lost.wantOrders("lost", 1)
}
