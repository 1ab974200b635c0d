package loadserver_test

import (
	"context"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
)

func start(t *testing.T) (*loadserver.Server, *sqs.Client, *string) {
	t.Helper()
	s := loadserver.New(0, 256)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	client := sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &web.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	return s, client, aws.String(web.URL + loadserver.QueuePath)
}

func receive(t *testing.T, client *sqs.Client, url *string, n int32) []types.Message {
	t.Helper()
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: n, WaitTimeSeconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func remove(t *testing.T, client *sqs.Client, url *string, ms []types.Message) {
	t.Helper()
	in := &sqs.DeleteMessageBatchInput{QueueUrl: url}
	for i, m := range ms {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := client.DeleteMessageBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Successful) != len(ms) || len(out.Failed) != 0 {
		t.Errorf("got %d successful and %d failed entries, want %d and 0", len(out.Successful), len(out.Failed), len(ms))
	}
}

// Every message is handed out once, and every delete is counted for what it is.
func TestCounts(t *testing.T) {
	s, client, url := start(t)
	first, second := receive(t, client, url, 10), receive(t, client, url, 3)
	ids := map[string]bool{}
	for _, m := range append(first, second...) {
		ids[*m.MessageId] = true
	}
	if len(ids) != 13 || len(*first[0].Body) != 256 {
		t.Errorf("got %d different messages with bodies of %d bytes, want 13 of 256", len(ids), len(*first[0].Body))
	}
	remove(t, client, url, first)
	remove(t, client, url, first[:1])
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("unknown")}); err != nil {
		t.Fatal(err)
	}
	want := loadserver.Counts{
		Given: 13, Deleted: 10, DeletedAgain: 1, Unknown: 1, MostInFlight: 13,
		Requests: 5, Receives: 2, Deletes: 3,
	}
	if got := s.Counts(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A server that was stopped hands out nothing, and waits for the deletes of all that it handed out.
func TestStop(t *testing.T) {
	s, client, url := start(t)
	ms := receive(t, client, url, 10)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s.Stop(short)
	if short.Err() == nil {
		t.Error("Stop returned with ten messages in flight")
	}
	if got := receive(t, client, url, 10); len(got) != 0 {
		t.Errorf("got %d messages from a stopped server, want none", len(got))
	}
	remove(t, client, url, ms)
	s.Stop(t.Context())
	if got := s.Counts(); got.Deleted != got.Given || got.Empty != 1 {
		t.Errorf("got %+v, want all deleted and one empty receive", got)
	}
}

// A receive brings the system attributes that it asks for, and no others.
func TestAttributes(t *testing.T) {
	_, client, url := start(t)
	for want, names := range map[int][]types.MessageSystemAttributeName{
		0: nil, 2: {"ApproximateReceiveCount", "SentTimestamp"}, 4: {"All"},
	} {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: url, MessageSystemAttributeNames: names, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(out.Messages[0].Attributes); got != want {
			t.Errorf("asked for %v: got %d attributes, want %d", names, got, want)
		}
	}
}
