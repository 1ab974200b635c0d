package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/pubsub/awssnssqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

const longPoll = 20 * time.Second

// consumerOf returns the consumer of that name, and what is to be called when it is not needed any more.
func consumerOf(c contender, handler time.Duration) (consume, func(), error) {
	nothing := func() {}
	switch {
	case c.Kind == bare:
		return bareLoops(c.Flight/perReceive, handler == 0), nothing, nil
	case c.Kind == gocloud:
		return goCloud(c.Flight), nothing, nil
	case c.Kind == onlyonce && c.Dedupe == "":
		return onlyOnce(c.Flight, nil), nothing, nil
	case c.Kind == onlyonce && c.Dedupe == memory:
		return onlyOnce(c.Flight, memdedupe.New()), nothing, nil
	case c.Kind == onlyonce && c.Dedupe == bolt:
		dir, err := os.MkdirTemp("", "bench-poller-")
		if err != nil {
			return nil, nil, err
		}
		store, err := boltdedupe.Open(filepath.Join(dir, "dedupe.db"), boltdedupe.Options{})
		if err != nil {
			return nil, nil, err
		}
		return onlyOnce(c.Flight, store), func() { _ = store.Close(); _ = os.RemoveAll(dir) }, nil
	}
	return nil, nil, fmt.Errorf("there is no consumer %v", c)
}

// bareLoops is what one writes with the SDK alone: each loop receives ten messages, handles them at once and deletes
// them, and so on. Handlers that return at once are called one after another: goroutines would only cost.
func bareLoops(n int, inLine bool) consume {
	return func(ctx context.Context, client *sqs.Client, url string, handle func(context.Context)) error {
		errs := make(chan error, n)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var loops sync.WaitGroup
		for range n {
			loops.Go(func() {
				defer cancel()
				errs <- bareLoop(ctx, client, url, handle, inLine)
			})
		}
		loops.Wait()
		return <-errs // the first one, which ended the others
	}
}

func bareLoop(ctx context.Context, client *sqs.Client, url string, handle func(context.Context), inLine bool) error {
	for {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: perReceive, WaitTimeSeconds: int32(longPoll / time.Second),
		})
		if err != nil {
			return err
		}
		if len(out.Messages) == 0 {
			continue
		}
		var handlers sync.WaitGroup
		for range out.Messages {
			if inLine {
				handle(ctx)
			} else {
				handlers.Go(func() { handle(ctx) })
			}
		}
		handlers.Wait()
		entries := make([]types.DeleteMessageBatchRequestEntry, len(out.Messages))
		for i := range out.Messages {
			id := strconv.Itoa(i)
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: out.Messages[i].ReceiptHandle}
		}
		deleted, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err != nil {
			return err
		}
		if len(deleted.Failed) > 0 {
			return fmt.Errorf("%d deletes failed", len(deleted.Failed))
		}
	}
}

// goCloud is gocloud.dev/pubsub, as its documentation says to use it, with long polls.
func goCloud(handlers int) consume {
	return func(ctx context.Context, client *sqs.Client, url string, handle func(context.Context)) error {
		sub := awssnssqs.OpenSubscription(ctx, client, url, &awssnssqs.SubscriptionOptions{Raw: true, WaitTime: longPoll})
		errs := make(chan error, handlers)
		var loops sync.WaitGroup
		for range handlers {
			loops.Go(func() {
				for {
					m, err := sub.Receive(ctx)
					if err != nil {
						errs <- err
						return
					}
					handle(ctx)
					m.Ack()
				}
			})
		}
		loops.Wait()
		if ctx.Err() == nil {
			return <-errs
		}
		return sub.Shutdown(context.WithoutCancel(ctx))
	}
}

// onlyOnce is this project's poller; without a store nothing is deduplicated.
func onlyOnce(handlers int, store dedupe.Store) consume {
	return func(ctx context.Context, client *sqs.Client, url string, handle func(context.Context)) error {
		var guard *dedupe.Guard
		if store != nil {
			guard = dedupe.New(store, dedupe.Options{Consumer: "bench"})
		}
		h := consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			handle(ctx)
			return nil
		})
		report, err := sqssource.New(client, url, guard, h, sqssource.Options{Concurrency: handlers}).Run(ctx)
		if err == nil && report.Received != report.Done {
			err = fmt.Errorf("not every message was handled and deleted: %+v", report)
		}
		return err
	}
}
