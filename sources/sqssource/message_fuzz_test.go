package sqssource_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Whatever is sent, body, attribute and group, the queue refuses it typed or
// the poller hands it to its handler as it was sent; and it is the record that
// the same message is behind a Lambda trigger, so that a worker that moves from
// one to the other knows what is done.
func FuzzMessage(f *testing.F) {
	f.Add("order 1", "kind", "String", "new", "", "", false)
	f.Add(`{"a":"é 😀"}`, "n", "Number.int", "1e2", "g1", "d1", true)
	f.Add("b", "bytes", "Binary.gif", "\x00\xff", "tenant", "", false)
	f.Add("x", "onlyonce.message-id", "String", "0d1f3c0e", "", "", false)
	f.Add("x", "onlyonce.message-id", "Binary", "0d1f3c0e", "g", "d", true)
	f.Add("\ufffe", "AWS.x", "string", "", "g", "", true)
	f.Add("\t\r\n\u2028", "a..b", "String."+strings.Repeat("x", 300), "v", "ü", "", true)
	f.Add("", "a", "", "v", "", "", false)
	f.Fuzz(func(t *testing.T, body, name, kind, value, group, dedup string, fifo bool) {
		for _, s := range []*string{&body, &name, &kind, &group, &dedup} {
			*s = strings.ToValidUTF8(*s, "?") // as the SDK would, and then miss its checksum
		}
		synctest.Test(t, func(t *testing.T) {
			queue := "orders"
			if fifo {
				queue += ".fifo"
			}
			server := sqstest.New(sqstest.Options{})
			url := server.CreateQueue(queue, nil)
			in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
			if name != "" {
				a := types.MessageAttributeValue{DataType: &kind}
				if strings.HasPrefix(kind, "Binary") {
					a.BinaryValue = []byte(value)
				} else {
					value = strings.ToValidUTF8(value, "?")
					a.StringValue = &value
				}
				in.MessageAttributes = map[string]types.MessageAttributeValue{name: a}
			}
			if group != "" {
				in.MessageGroupId = &group
			}
			if dedup != "" {
				in.MessageDeduplicationId = &dedup
			}
			sent, err := server.Client().SendMessage(t.Context(), in)
			if err != nil {
				if _, ok := errors.AsType[smithy.APIError](err); !ok {
					t.Fatalf("refused with %v (%T), want an error of the API", err, err)
				}
				return
			}
			got := polled(t, server, url)
			if got.MessageID != *sent.MessageId || string(got.Body) != body || got.Group != group || got.Ordered != fifo || got.Attempt != 1 || got.Time.IsZero() {
				t.Fatalf("sent %q in group %q as %s, got %+v", body, group, *sent.MessageId, got)
			}
			want := map[string]string{}
			if name != "" && !strings.HasPrefix(kind, "Binary") {
				want[name] = value
			}
			if !maps.Equal(got.Attributes, want) {
				t.Fatalf("attributes %q, want %q", got.Attributes, want)
			}
			if raw := got.Raw.(types.Message).MessageAttributes[name]; name != "" && strings.HasPrefix(kind, "Binary") && string(raw.BinaryValue) != value {
				t.Fatalf("binary attribute %q, want %q", raw.BinaryValue, value)
			}
			other := triggered(t, server.ARN(queue), got.Raw.(types.Message))
			if got.ID != other.ID || got.MessageID != other.MessageID || got.Source != other.Source || got.Group != other.Group || got.Ordered != other.Ordered ||
				got.Attempt != other.Attempt || !got.Time.Equal(other.Time) || !maps.Equal(got.Attributes, other.Attributes) || !bytes.Equal(got.Body, other.Body) {
				t.Fatalf("the poller read\n%+v, behind a trigger it is\n%+v", got, other)
			}
		})
	})
}

// polled runs a poller until it has handled one message, and returns it.
func polled(t *testing.T, server *sqstest.Server, url string) (got consumer.Record) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		got = *rec
		cancel()
		return nil
	})
	report, err := sqssource.New(server.Client(), url, nil, h).Run(ctx)
	if want := (sqssource.Report{Received: 1, Done: 1}); err != nil || report != want {
		t.Fatalf("got %+v, %v, want %+v", report, err, want)
	}
	return got
}

// triggered returns the record of a message behind a Lambda trigger.
func triggered(t *testing.T, arn string, m types.Message) (got consumer.Record) {
	t.Helper()
	payload, err := lambdatest.SQSEvent(arn, []types.Message{m})
	if err != nil {
		t.Fatal(err)
	}
	response, err := lambdasource.SQS(nil, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		got = *rec
		return nil
	})).Invoke(t.Context(), payload)
	if err != nil || string(response) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s: %s, %v", payload, response, err)
	}
	return got
}
