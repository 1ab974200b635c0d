package sqssource_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// asking notes how many receives ask for fewer than ten messages.
type asking struct {
	sqssource.Client
	all, small atomic.Int64
}

func (a *asking) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	a.all.Add(1)
	if in.MaxNumberOfMessages < 10 {
		a.small.Add(1)
	}
	return a.Client.ReceiveMessage(ctx, in, opts...)
}

// A busy poller asks for ten messages at a time, also where the bytes that it
// sets aside leave room for a part of a receive.
func TestFullReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 1000
		s := sqstest.New(sqstest.Options{})
		url := s.CreateQueue("orders", nil)
		for first := 0; first < messages; first += 10 {
			in := &sqs.SendMessageBatchInput{QueueUrl: &url}
			for i := range 10 {
				id, body := strconv.Itoa(i), "order"
				in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body})
			}
			if _, err := s.Client().SendMessageBatch(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var ran atomic.Int64
		h := consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			time.Sleep(20 * time.Millisecond)
			if ran.Add(1) == messages {
				cancel()
			}
			return nil
		})
		client := &asking{Client: s.Client()}
		report, err := sqssource.New(client, url, nil, h, sqssource.Options{Concurrency: 100, MaxBytes: 25 << 20}).Run(ctx)
		if err != nil || report.Done != messages {
			t.Errorf("got %+v, %v, want %d done", report, err, messages)
		}
		if all, small := client.all.Load(), client.small.Load(); small > all/20 {
			t.Errorf("%d of %d receives asked for fewer than ten messages, want at most one in twenty", small, all)
		}
	})
}
