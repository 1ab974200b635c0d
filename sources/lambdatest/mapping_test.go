package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A bench is a queue with a mapping in front of a function, all in one bubble.
type bench struct {
	t       *testing.T
	server  *sqstest.Server
	client  *sqs.Client
	url     string
	mapping *lambdatest.Mapping
	seen    []lambdatest.Invocation
}

// inBubble runs test in a bubble with a queue whose visibility timeout is 30
// seconds; test runs the mapping.
func inBubble(t *testing.T, queue string, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, server: sqstest.New(sqstest.Options{})}
		b.client = b.server.Client()
		b.url = b.server.CreateQueue(queue, nil)
		test(b)
	})
}

// run runs a mapping for d. Observed invocations are in b.seen.
func (b *bench) run(d time.Duration, opts lambdatest.MappingOptions) {
	b.t.Helper()
	opts.Queue, opts.QueueURL = b.client, b.url
	hook := opts.Observe
	opts.Observe = func(inv lambdatest.Invocation) {
		b.seen = append(b.seen, inv)
		if hook != nil {
			hook(inv)
		}
	}
	b.mapping = lambdatest.NewMapping(opts)
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	if err := b.mapping.Run(ctx); err != nil {
		b.t.Errorf("Run: %v", err)
	}
}

func (b *bench) send(group string, bodies ...string) (ids []string) {
	b.t.Helper()
	for _, body := range bodies {
		in := &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: &body}
		if group != "" {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(group), aws.String(body)
		}
		out, err := b.client.SendMessage(b.t.Context(), in)
		if err != nil {
			b.t.Fatal(err)
		}
		ids = append(ids, *out.MessageId)
	}
	return ids
}

// left returns the bodies that are still in the queue.
func (b *bench) left(queue string) (bodies []string) {
	for _, m := range b.server.Messages(queue) {
		bodies = append(bodies, m.Body)
	}
	return bodies
}

func (b *bench) wantLeft(queue string, want ...string) {
	b.t.Helper()
	if got := b.left(queue); !slices.Equal(got, want) {
		b.t.Errorf("got %q left in the queue, want %q", got, want)
	}
}

// bodies decodes a payload as a handler does.
func bodies(t *testing.T, payload []byte) (out []string) {
	t.Helper()
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	for _, r := range event.Records {
		out = append(out, r.Body)
	}
	return out
}

// respond is a function that always answers the same.
func respond(response string) lambdatest.Invoker {
	return lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return []byte(response), nil })
}

// failing is a function whose partial response names the records with a body.
func failing(body string) lambdatest.Invoker {
	return lambdatest.HandlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
		var event events.SQSEvent
		if err := json.Unmarshal(payload, &event); err != nil {
			return nil, err
		}
		var res events.SQSEventResponse
		for _, r := range event.Records {
			if r.Body == body {
				res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		return json.Marshal(res)
	})
}

// Ensure that a batch is deleted, or left as a whole or in part, as the answer
// and the mapping's setting say.
func TestMappingOutcomes(t *testing.T) {
	boom := lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"batchItemFailures":[]}`), errors.New("boom")
	})
	panics := lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) { panic("boom") })
	slow := lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) {
		time.Sleep(4 * time.Second)
		return []byte(`{"batchItemFailures":[]}`), nil
	})
	for _, tc := range []struct {
		name     string
		report   bool
		function lambdatest.Invoker
		left     []string
		err      error
	}{
		{"success", true, respond(`{"batchItemFailures":[]}`), nil, nil},
		{"empty object", true, respond(`{}`), nil, nil},
		{"part fails", true, failing("b"), []string{"b"}, nil},
		{"unknown id", true, respond(`{"batchItemFailures":[{"itemIdentifier":"z"}]}`), []string{"a", "b", "c"}, lambdatest.ErrMalformedResponse},
		{"empty body", true, respond(``), []string{"a", "b", "c"}, lambdatest.ErrMalformedResponse},
		{"error beats response", true, boom, []string{"a", "b", "c"}, errAny},
		{"panic", true, panics, []string{"a", "b", "c"}, errAny},
		{"timeout", true, slow, []string{"a", "b", "c"}, lambdatest.ErrTimeout},
		{"response not read", false, failing("b"), nil, nil},
		{"no JSON not read", false, respond(`ok`), nil, nil},
		{"error without reports", false, boom, []string{"a", "b", "c"}, errAny},
		{"timeout without reports", false, slow, []string{"a", "b", "c"}, lambdatest.ErrTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, "orders", func(b *bench) {
				ids := b.send("", "a", "b", "c")
				b.run(20*time.Second, lambdatest.MappingOptions{Function: tc.function, ReportBatchItemFailures: tc.report})
				b.wantLeft("orders", tc.left...)
				if len(b.seen) != 1 {
					t.Fatalf("got %d invocations, want 1", len(b.seen))
				}
				inv := b.seen[0]
				anyErr := errors.Is(tc.err, errAny)
				if anyErr && inv.Err == nil || !anyErr && !errors.Is(inv.Err, tc.err) {
					t.Errorf("got error %v, want %v", inv.Err, tc.err)
				}
				if len(inv.Failed) != len(tc.left) || len(inv.Deleted) != 3-len(tc.left) || !slices.Equal(inv.MessageIDs, ids) {
					t.Errorf("got %d failed and %d deleted of %q, want %d and %d of %q",
						len(inv.Failed), len(inv.Deleted), inv.MessageIDs, len(tc.left), 3-len(tc.left), ids)
				}
			})
		})
	}
}

var errAny = errors.New("any error")

// Ensure that a failed message comes back when its visibility timeout ends, not
// before, and with its receive count advanced.
func TestMappingRedelivery(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", "a", "b")
		start := time.Now()
		b.run(70*time.Second, lambdatest.MappingOptions{Function: failing("b"), ReportBatchItemFailures: true})
		var got []string
		for _, inv := range b.seen {
			got = append(got, fmt.Sprint(inv.Started.Sub(start), " ", bodies(t, inv.Payload)))
		}
		if want := []string{"0s [a b]", "30s [b]", "1m0s [b]"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		want := lambdatest.Counts{PolledEvents: 4, InvokedEvents: 4, FailedInvokeEvents: 4, DeletedEvents: 1, Invocations: 3}
		if got := b.mapping.Counts(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if n := b.server.Messages("orders")[0].ReceiveCount; n != 3 {
			t.Errorf("got receive count %d, want 3", n)
		}
	})
}

// Ensure that the records of an event say what the queue said of its messages.
func TestMappingRecords(t *testing.T) {
	inBubble(t, "orders.fifo", func(b *bench) {
		ids := b.send("g", "a")
		b.run(time.Second, lambdatest.MappingOptions{Function: respond(`{}`)})
		var event events.SQSEvent
		if err := json.Unmarshal(b.seen[0].Payload, &event); err != nil {
			t.Fatal(err)
		}
		r := event.Records[0]
		if r.MessageId != ids[0] || r.EventSource != "aws:sqs" || r.EventSourceARN != b.server.ARN("orders.fifo") ||
			r.AWSRegion != strings.Split(r.EventSourceARN, ":")[3] || r.Md5OfBody != "0cc175b9c0f1b6a831c399e269772661" {
			t.Errorf("got record %+v", r)
		}
		for name, want := range map[string]string{"MessageGroupId": "g", "ApproximateReceiveCount": "1", "MessageDeduplicationId": "a"} {
			if r.Attributes[name] != want {
				t.Errorf("attribute %s: got %q, want %q", name, r.Attributes[name], want)
			}
		}
		if r.Attributes["SequenceNumber"] == "" || r.Attributes["SentTimestamp"] == "" {
			t.Errorf("got attributes %v, want a sequence number and a time", r.Attributes)
		}
	})
}

// Ensure that workers invoke side by side, but never two of one FIFO group.
func TestMappingConcurrency(t *testing.T) {
	for _, tc := range []struct {
		queue string
		most  int32
	}{{"orders", 3}, {"orders.fifo", 1}} {
		t.Run(tc.queue, func(t *testing.T) {
			inBubble(t, tc.queue, func(b *bench) {
				group := ""
				if strings.HasSuffix(tc.queue, ".fifo") {
					group = "g"
				}
				b.send(group, "a", "b", "c", "d", "e", "f")
				var now, most atomic.Int32
				var order []string
				b.run(2*time.Minute, lambdatest.MappingOptions{
					BatchSize: 1, Concurrency: 3,
					Function: lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) {
						most.Store(max(most.Load(), now.Add(1)))
						time.Sleep(time.Second)
						now.Add(-1)
						return nil, nil
					}),
					Observe: func(inv lambdatest.Invocation) { order = append(order, bodies(t, inv.Payload)...) },
				})
				if most.Load() != tc.most {
					t.Errorf("got %d invocations at once, want %d", most.Load(), tc.most)
				}
				if got := strings.Join(order, ""); group != "" && got != "abcdef" {
					t.Errorf("got order %s, want abcdef", got)
				}
				b.wantLeft(tc.queue)
			})
		})
	}
}

// Ensure that Run ends with its context, but not before the invocation that
// runs has been settled.
func TestMappingDrains(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", "a")
		start := time.Now()
		b.run(time.Second, lambdatest.MappingOptions{Function: lambdatest.HandlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
			time.Sleep(2 * time.Second)
			return nil, ctx.Err()
		})})
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("Run ended after %v, want 2s", got)
		}
		b.wantLeft("orders")
	})
}

// Ensure that a function that ignores its deadline fails its batch on time,
// holds no batch up, and is waited for in the end.
func TestMappingZombie(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", "zombie", "b")
		start := time.Now()
		b.run(10*time.Second, lambdatest.MappingOptions{BatchSize: 1, Function: lambdatest.HandlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
			if bodies(t, payload)[0] == "zombie" {
				time.Sleep(25 * time.Second)
			}
			return nil, nil
		})})
		if len(b.seen) != 2 || !errors.Is(b.seen[0].Err, lambdatest.ErrTimeout) || b.seen[0].Ended.Sub(start) != 3*time.Second {
			t.Fatalf("got %d invocations, the first %v after %v; want a timeout after 3s and another", len(b.seen), b.seen[0].Err, b.seen[0].Ended.Sub(start))
		}
		if got := time.Since(start); got != 25*time.Second {
			t.Errorf("Run ended after %v, want the zombie's 25s", got)
		}
		b.wantLeft("orders", "zombie")
	})
}
