package lambdasource_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/oncetest"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// Functions do a piece of work once: a failed invocation is retried, and a
// retry of finished work changes nothing in the store.
func TestOnce(t *testing.T) {
	event := `{"version":"0","id":"e-1","detail-type":"Placed","source":"shop","account":"1","time":"2026-11-21T10:00:00Z",` +
		`"region":"eu-central-1","resources":[],"detail":{"order_id":"o-1"}}`
	for name, c := range map[string]struct {
		function func(*dedupe.Guard, consumer.Handler) lambda.Handler
		payload  func(t *testing.T, n int) []byte
	}{
		"a queue": {
			func(g *dedupe.Guard, h consumer.Handler) lambda.Handler {
				return lambdasource.SQS(g, h, lambdasource.Options{Decode: sources.EventBridge})
			},
			func(t *testing.T, n int) []byte {
				return payloadOf(t, message(standardARN, fmt.Sprint("m-", n), "", event))
			},
		},
		"a rule": {
			func(g *dedupe.Guard, h consumer.Handler) lambda.Handler { return lambdasource.EventBridge(g, h) },
			func(*testing.T, int) []byte { return []byte(event) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memdedupe.New()
				guard := dedupe.New(store, dedupe.Options{Consumer: "test"})
				placed := 0
				oncetest.Check(t, oncetest.Harness{
					Store: store,
					Handler: consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
						placed++
						return nil
					}),
					Deliver: func(ctx context.Context, h consumer.Handler, n int) error {
						_, err := c.function(guard, h).Invoke(ctx, c.payload(t, n)) // an error: all of the batch failed
						return err
					},
				})
				if placed != 1 {
					t.Errorf("placed %d times, want once", placed)
				}
			})
		})
	}
}
