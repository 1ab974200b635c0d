package sqssource_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Everything that is in the queue is handled once and deleted.
func TestPoller(t *testing.T) {
	for _, name := range []string{"orders", "orders.fifo"} {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New(sqstest.Options{})
			url := s.CreateQueue(name, nil)
			client := s.Client()
			for i := range 100 {
				in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: new(string)}
				*in.MessageBody = fmt.Sprint("order-", i)
				if name != "orders" {
					g := fmt.Sprint(i % 7)
					in.MessageGroupId, in.MessageDeduplicationId = &g, in.MessageBody
				}
				if _, err := client.SendMessage(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			ran := map[string]int{}
			guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test", Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
				switch e.(type) {
				case consumer.Claimed, consumer.Completed, consumer.BatchDone, consumer.Received:
				default:
					t.Logf("%s %+v", e.EventName(), e)
				}
			})})
			p := sqssource.New(client, url, guard, consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
				mu.Lock()
				ran[string(rec.Body)]++
				n := ran[string(rec.Body)]
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
				if string(rec.Body) == "order-50" && n < 4 {
					return fmt.Errorf("no")
				}
				return nil
			}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			began := time.Now()
			rep, err := p.Run(ctx)
			t.Log(rep, err, time.Since(began), s.Stats(name), len(ran))
			counts := map[string]int{}
			for _, e := range s.History() {
				counts[e.Op]++
			}
			t.Log(counts)
		})
	}
}
