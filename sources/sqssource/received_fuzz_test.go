package sqssource_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// answers is a queue that answers one receive as it is told, and then has no
// more. It notes which receipt handles are deleted.
type answers struct {
	sqssource.Client // nil: nothing else is asked
	attributes       map[string]string
	messages         []types.Message

	mu       sync.Mutex
	received bool
	deleted  []string
}

func (a *answers) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{Attributes: a.attributes}, nil
}

func (a *answers) GetQueueUrl(_ context.Context, in *sqs.GetQueueUrlInput, _ ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error) {
	return &sqs.GetQueueUrlOutput{QueueUrl: in.QueueName}, nil
}

func (a *answers) ReceiveMessage(ctx context.Context, _ *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	a.mu.Lock()
	first := !a.received
	a.received = true
	a.mu.Unlock()
	if first {
		return &sqs.ReceiveMessageOutput{Messages: a.messages}, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(20 * time.Second):
		return new(sqs.ReceiveMessageOutput), nil
	}
}

func (a *answers) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range in.Entries {
		a.deleted = append(a.deleted, *e.ReceiptHandle)
	}
	return new(sqs.DeleteMessageBatchOutput), nil
}

func (a *answers) ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return new(sqs.ChangeMessageVisibilityBatchOutput), nil
}

// Whatever a queue says of itself and answers to a receive, each message that
// has an id and a receipt handle runs once, as it arrived, and what is deleted
// is of messages that ran. One without id or handle is left alone: two of them
// are not one message.
func FuzzReceived(f *testing.F) {
	for _, messages := range []string{
		`[{"MessageId":"m1","ReceiptHandle":"h1","Body":"a","Attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1795263775000","MessageGroupId":"g","SequenceNumber":"18"}},
		  {"MessageId":"m2","ReceiptHandle":"h2","Body":"b","Attributes":{"MessageGroupId":"g","SequenceNumber":"9"}}]`,
		`[{"MessageId":"m1","ReceiptHandle":"h1","Body":"a"},{"MessageId":"m1","ReceiptHandle":"h2","Body":"a"}]`,
		`[{"ReceiptHandle":"h1","Body":"a"},{"ReceiptHandle":"h2","Body":"b"}]`, `[{"MessageId":"","ReceiptHandle":"h1"},{"MessageId":"m","ReceiptHandle":""},{}]`,
		`[{"MessageId":"m1","ReceiptHandle":"h1","Attributes":{"ApproximateReceiveCount":"-1","SentTimestamp":"99999999999999999999","MessageGroupId":""}}]`,
		`[{"MessageId":"m1","ReceiptHandle":"h1","Body":"a","MessageAttributes":{"onlyonce.message-id":{"StringValue":"m0"},"x":{}}}]`,
	} {
		f.Add([]byte(messages), []byte(`{"QueueArn":"arn:aws:sqs:eu-central-1:000000000000:orders","VisibilityTimeout":"30"}`), false)
		f.Add([]byte(messages), []byte(`{"VisibilityTimeout":"x","MessageRetentionPeriod":"-1","RedrivePolicy":"{\"maxReceiveCount\":\"1\",\"deadLetterTargetArn\":\":\"}"}`), true)
	}
	f.Fuzz(func(t *testing.T, messages, attributes []byte, fifo bool) {
		a := new(answers)
		if json.Unmarshal(messages, &a.messages) != nil || json.Unmarshal(attributes, &a.attributes) != nil || len(a.messages) > 10 {
			return
		}
		bodies := map[string][]string{} // by id
		handles := map[string]string{}  // to ids
		for _, m := range a.messages {
			id, handle := aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle)
			if id == "" || handle == "" {
				continue
			}
			if other, twice := handles[handle]; twice && other != id {
				return // a handle of two messages: no queue has that
			}
			bodies[id], handles[handle] = append(bodies[id], aws.ToString(m.Body)), id
		}
		synctest.Test(t, func(t *testing.T) {
			url := "http://x/000000000000/orders"
			if fifo {
				url += ".fifo"
			}
			var mu sync.Mutex
			ran := map[string]int{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			report, err := sqssource.New(a, url, nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
				mu.Lock()
				defer mu.Unlock()
				ran[rec.MessageID]++
				if !slices.Contains(bodies[rec.MessageID], string(rec.Body)) {
					t.Errorf("ran %q with the body %q", rec.MessageID, rec.Body)
				}
				return nil
			})).Run(ctx)
			if err != nil || report.Received != report.Done+report.Duplicates+report.Failed+report.Released+report.Unsettled {
				t.Errorf("got %+v, %v", report, err)
			}
			for id := range bodies {
				if ran[id] != 1 {
					t.Errorf("%q ran %d times, want once", id, ran[id])
				}
			}
			for _, handle := range a.deleted {
				if ran[handles[handle]] == 0 {
					t.Errorf("deleted %q, which did not run", handle)
				}
				delete(bodies, handles[handle])
			}
			if len(bodies) > 0 || len(ran) > len(handles) {
				t.Errorf("not deleted: %q; ran %v of %s", bodies, ran, strings.TrimSpace(string(messages)))
			}
		})
	})
}
