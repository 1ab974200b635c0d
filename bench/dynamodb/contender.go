package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// A contender handles batches of records once each, with its rows in table.
type contender interface {
	process(ctx context.Context, recs []*consumer.Record) error
}

// The contenders, in the order of the table.
const (
	nameOnlyonce  = "onlyonce"
	nameBare      = "bare"
	nameHand      = "hand"
	nameHandOfTen = "hand10"
)

func contenderNames() []string { return []string{nameOnlyonce, nameBare, nameHand, nameHandOfTen} }

// newContender returns the contender of that name.
func newContender(name string, client *dynamodb.Client, h consumer.Handler) contender {
	switch name {
	case nameOnlyonce:
		guard := dedupe.New(dynamodedupe.New(client, table), dedupe.Options{Consumer: consumerName})
		return onlyonce{batch.New(guard, h, batch.Options{})}
	case nameBare:
		return newBare(client, h)
	case nameHand:
		return byHand{client: client, h: h, goroutines: 1}
	case nameHandOfTen:
		return byHand{client: client, h: h, goroutines: 10}
	}
	panic("no contender " + name)
}

// consumerName is part of every key.
const consumerName = "bench"

// onlyonce is a processor with its usual options.
type onlyonce struct{ p *batch.Processor }

func (c onlyonce) process(ctx context.Context, recs []*consumer.Record) error {
	for _, err := range c.p.Process(ctx, recs) {
		if err != nil {
			return err
		}
	}
	return nil
}

// newClient returns a client of the server at url, the same for everybody.
func newClient(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &url,
		HTTPClient:   dynamodedupe.HTTPClient(),
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench", Source: "bench"}, nil
		})),
	})
}

// rowError says that a row is not as it must be.
func rowError(key types.AttributeValue, found string) error {
	return fmt.Errorf("row of key %q: %s", textOf(key), found)
}
