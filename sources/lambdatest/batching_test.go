package lambdatest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// sizes returns how many messages each observed batch had.
func (b *bench) sizes() (out []int) {
	for _, inv := range b.seen {
		out = append(out, len(inv.MessageIDs))
	}
	return out
}

func numbers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// Ensure that batches are as large as BatchSize and the window let them be.
func TestMappingBatchSize(t *testing.T) {
	for _, tc := range []struct {
		name   string
		sent   int
		size   int
		window time.Duration
		want   []int
	}{
		{"default", 25, 0, 0, []int{10, 10, 5}},
		{"below ten", 7, 3, 0, []int{3, 3, 1}},
		{"above ten", 60, 25, 5 * time.Second, []int{25, 25, 10}},
		{"window ends", 12, 100, time.Second, []int{12}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, "orders", func(b *bench) {
				b.send("", numbers(tc.sent)...)
				b.run(time.Minute, lambdatest.MappingOptions{Function: respond(`{}`), BatchSize: tc.size, BatchingWindow: tc.window})
				if got := b.sizes(); !slices.Equal(got, tc.want) {
					t.Errorf("got batches of %v, want %v", got, tc.want)
				}
				b.wantLeft("orders")
			})
		})
	}
}

// Ensure that a window counts from the first message of its batch, whole
// seconds or not, and that what comes later opens the next batch.
func TestMappingBatchingWindow(t *testing.T) {
	for window, want := range map[time.Duration]int{2 * time.Second: 3, 2500 * time.Millisecond: 3, 300 * time.Millisecond: 1} {
		t.Run(window.String(), func(t *testing.T) {
			inBubble(t, "orders", func(b *bench) {
				start := time.Now()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					time.Sleep(time.Second)
					for _, body := range []string{"a", "b", "c"} {
						b.send("", body)
						time.Sleep(900 * time.Millisecond)
					}
				}()
				b.run(20*time.Second, lambdatest.MappingOptions{Function: respond(`{}`), BatchingWindow: window})
				<-sent
				if got := b.seen[0].Started.Sub(start); got != time.Second+window {
					t.Errorf("first batch went out after %v, want %v", got, time.Second+window)
				}
				if got := b.sizes(); got[0] != want {
					t.Errorf("got batches of %v, want %d first", got, want)
				}
				b.wantLeft("orders")
			})
		})
	}
}

// Ensure that no payload exceeds 6 MB while it could be smaller, and that the
// messages which did not fit are delivered next.
func TestMappingPayloadLimit(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		const each = 1 << 20
		for i := range 8 {
			b.send("", strings.Repeat(string(rune('a'+i)), each-100))
		}
		b.run(time.Second, lambdatest.MappingOptions{Function: respond(`{}`)})
		if got := b.sizes(); !slices.Equal(got, []int{5, 3}) {
			t.Errorf("got batches of %v, want 5 and 3", got)
		}
		for _, inv := range b.seen {
			if len(inv.Payload) > 6<<20 {
				t.Errorf("got a payload of %d bytes, above 6 MB", len(inv.Payload))
			}
		}
		b.wantLeft("orders")
	})
}

// Ensure that a window which would use up the visibility timeout makes the
// mapping ask for window, timeout and 30 seconds more.
func TestMappingVisibilityOverride(t *testing.T) {
	for _, tc := range []struct {
		window time.Duration
		want   int32
	}{{0, 0}, {27 * time.Second, 0}, {28 * time.Second, 28 + 3 + 30}} {
		t.Run(tc.window.String(), func(t *testing.T) {
			inBubble(t, "orders", func(b *bench) {
				b.send("", "a")
				q := &recordingQueue{Client: b.client}
				m := lambdatest.NewMapping(lambdatest.MappingOptions{Queue: q, QueueURL: b.url, Function: respond(`{}`), BatchingWindow: tc.window})
				ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
				defer cancel()
				if err := m.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if got := q.received[0].VisibilityTimeout; got != tc.want {
					t.Errorf("asked for a visibility timeout of %d, want %d", got, tc.want)
				}
			})
		})
	}
}

// recordingQueue keeps what it was asked.
type recordingQueue struct {
	*sqs.Client
	received []*sqs.ReceiveMessageInput
	deleted  []*sqs.DeleteMessageBatchInput
}

func (q *recordingQueue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	q.received = append(q.received, in)
	return q.Client.ReceiveMessage(ctx, in, o...)
}

func (q *recordingQueue) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	q.deleted = append(q.deleted, in)
	return q.Client.DeleteMessageBatch(ctx, in, o...)
}

// Ensure that a message received twice within one window is in the batch twice,
// and that all of its receipt handles are deleted under entry ids of their own.
func TestMappingSameMessageTwiceInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sqstest.New(sqstest.Options{Duplicate: 1})
		b := &bench{t: t, server: server, client: server.Client()}
		b.url = server.CreateQueue("orders", nil)
		b.send("", "a")
		q := &recordingQueue{Client: b.client}
		m := lambdatest.NewMapping(lambdatest.MappingOptions{
			Queue: q, QueueURL: b.url, Function: respond(`{}`), BatchSize: 20, BatchingWindow: time.Second,
			Observe: func(inv lambdatest.Invocation) { b.seen = append(b.seen, inv) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
		inv := b.seen[0]
		if len(inv.MessageIDs) != 2 || inv.MessageIDs[0] != inv.MessageIDs[1] || len(inv.Deleted) != 1 {
			t.Fatalf("got batch %q with %q deleted, want one message twice", inv.MessageIDs, inv.Deleted)
		}
		entries := q.deleted[0].Entries
		if len(entries) != 2 || *entries[0].Id == *entries[1].Id || *entries[0].ReceiptHandle == *entries[1].ReceiptHandle {
			t.Errorf("got entries %+v, want both handles", entries)
		}
		b.wantLeft("orders")
	})
}

// Ensure that entries that fail are deleted by another call, those that were the
// sender's fault are not, and each call has at most ten.
func TestMappingDeletes(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", numbers(12)...)
		var calls []int
		b.server.Fault(func(op string, req sqstest.Request) sqstest.Action {
			if op != "DeleteMessageBatch" {
				return sqstest.Action{}
			}
			calls = append(calls, len(req.Entries))
			switch len(calls) {
			case 1:
				return sqstest.Action{FailEntries: map[int]*sqstest.Error{
					2: {Code: "InternalFailure", Status: 500},
					4: {Code: "ReceiptHandleIsInvalid"},
				}}
			case 2:
				return sqstest.Action{Err: &sqstest.Error{Code: "InvalidParameterValue"}} // the SDK does not retry this
			}
			return sqstest.Action{}
		})
		b.run(10*time.Second, lambdatest.MappingOptions{Function: respond(`{}`), BatchSize: 12, BatchingWindow: time.Second})
		if want := []int{10, 1, 1, 2}; !slices.Equal(calls, want) {
			t.Errorf("got calls with %v entries, want %v", calls, want)
		}
		b.wantLeft("orders", "4")
		inv := b.seen[0]
		if len(inv.Undeleted) != 1 || inv.Undeleted[0] != inv.MessageIDs[4] || len(inv.Deleted) != 11 || len(inv.Failed) != 0 {
			t.Errorf("got %d deleted, %q undeleted, %q failed; want only number 4 undeleted", len(inv.Deleted), inv.Undeleted, inv.Failed)
		}
		if got := b.mapping.Counts(); got.DeletedEvents != 11 || got.DeleteErrors != 3 {
			t.Errorf("got %+v, want 11 deleted after 3 errors", got)
		}
	})
}

// Ensure that failing receives are tried again, and that a deleted queue ends Run.
func TestMappingReceiveErrors(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", "a")
		failures := 2
		b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
			if op == "ReceiveMessage" && failures > 0 {
				failures--
				return sqstest.Action{Err: &sqstest.Error{Code: "InvalidParameterValue"}}
			}
			return sqstest.Action{}
		})
		b.run(time.Minute, lambdatest.MappingOptions{Function: respond(`{}`)})
		b.wantLeft("orders")
		if got := b.mapping.Counts().ReceiveErrors; got != 2 {
			t.Errorf("got %d receive errors, want 2", got)
		}

		b.server.Fault(nil)
		m := lambdatest.NewMapping(lambdatest.MappingOptions{Queue: b.client, QueueURL: b.url, Function: respond(`{}`), Concurrency: 3})
		time.AfterFunc(time.Second, func() {
			b.client.DeleteQueue(b.t.Context(), &sqs.DeleteQueueInput{QueueUrl: &b.url})
		})
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		err := m.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), b.url) {
			t.Errorf("got %v, want an error that names the queue", err)
		}
	})
}

// Ensure that Run refuses what AWS refuses, and accepts it when told to.
func TestMappingRefusesShortVisibility(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		opts := lambdatest.MappingOptions{Queue: b.client, QueueURL: b.url, Function: respond(`{}`), Timeout: 31 * time.Second}
		if err := lambdatest.NewMapping(opts).Run(ctx); err == nil {
			t.Error("a timeout above the visibility timeout was accepted")
		}
		opts.ShortVisibility = true
		opts.QueueURL = strings.Replace(b.url, "orders", "missing", 1)
		if err := lambdatest.NewMapping(opts).Run(ctx); err == nil {
			t.Error("a missing queue was accepted")
		}
		opts.QueueURL = b.url
		if err := lambdatest.NewMapping(opts).Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Ensure that options outside AWS's limits are found when the mapping is made.
func TestNewMappingPanics(t *testing.T) {
	ok := lambdatest.MappingOptions{Queue: sqs.New(sqs.Options{}), QueueURL: "q", Function: respond(``)}
	lambdatest.NewMapping(ok)
	for name, change := range map[string]func(*lambdatest.MappingOptions){
		"no queue":              func(o *lambdatest.MappingOptions) { o.Queue = nil },
		"no URL":                func(o *lambdatest.MappingOptions) { o.QueueURL = "" },
		"no function":           func(o *lambdatest.MappingOptions) { o.Function = nil },
		"batch too large":       func(o *lambdatest.MappingOptions) { o.BatchSize, o.BatchingWindow = 10_001, time.Second },
		"large without window":  func(o *lambdatest.MappingOptions) { o.BatchSize = 11 },
		"large FIFO batch":      func(o *lambdatest.MappingOptions) { o.QueueURL, o.BatchSize = "q.fifo", 11 },
		"FIFO window":           func(o *lambdatest.MappingOptions) { o.QueueURL, o.BatchingWindow = "q.fifo", time.Second },
		"window too long":       func(o *lambdatest.MappingOptions) { o.BatchingWindow = 301 * time.Second },
		"negative concurrency":  func(o *lambdatest.MappingOptions) { o.Concurrency = -1 },
		"negative timeout":      func(o *lambdatest.MappingOptions) { o.Timeout = -1 },
		"negative batch":        func(o *lambdatest.MappingOptions) { o.BatchSize = -1 },
		"negative batch window": func(o *lambdatest.MappingOptions) { o.BatchingWindow = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "lambdatest: ") {
					t.Errorf("got panic %v, want one of lambdatest", v)
				}
			}()
			opts := ok
			change(&opts)
			lambdatest.NewMapping(opts)
		})
	}
}

var _ lambdatest.QueueClient = (*sqs.Client)(nil)

// Ensure that a message without an id or handle does no harm.
func TestSQSEventOfBareMessage(t *testing.T) {
	got, err := lambdatest.SQSEvent("", []types.Message{{Body: aws.String("x")}})
	if err != nil || !strings.Contains(string(got), `"body":"x"`) {
		t.Errorf("got %s, %v", got, err)
	}
}
