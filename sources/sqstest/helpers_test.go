package sqstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

type attrs = map[string]string

// rig is one server with one queue and the calls that most tests make.
type rig struct {
	testing.TB
	*sqstest.Server
	client *sqs.Client
	url    string
}

// bubble runs f in a synctest bubble with a fresh server and queue.
func bubble(t *testing.T, opts sqstest.Options, name string, a attrs, f func(rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New(opts)
		f(rig{t, s, s.Client(), s.CreateQueue(name, a)})
	})
}

func (r rig) send(body string, edit ...func(*sqs.SendMessageInput)) *sqs.SendMessageOutput {
	r.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: &body}
	for _, f := range edit {
		f(in)
	}
	out, err := r.client.SendMessage(r.Context(), in)
	if err != nil {
		r.Fatalf("send %q: %v", body, err)
	}
	return out
}

// group sends to a FIFO group with the body as deduplication id.
func group(id string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageGroupId, in.MessageDeduplicationId = &id, in.MessageBody
	}
}

func (r rig) receive(edit ...func(*sqs.ReceiveMessageInput)) []types.Message {
	r.Helper()
	in := &sqs.ReceiveMessageInput{
		QueueUrl: &r.url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	}
	for _, f := range edit {
		f(in)
	}
	out, err := r.client.ReceiveMessage(r.Context(), in)
	if err != nil {
		r.Fatalf("receive: %v", err)
	}
	return out.Messages
}

// receiveOne fails unless there is exactly one message.
func (r rig) receiveOne() types.Message {
	r.Helper()
	got := r.receive()
	if len(got) != 1 {
		r.Fatalf("receive: got %d messages, want 1", len(got))
	}
	return got[0]
}

func wait(seconds int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = seconds }
}

func atMost(n int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = n }
}

func (r rig) delete(m types.Message) error {
	_, err := r.client.DeleteMessage(r.Context(), &sqs.DeleteMessageInput{QueueUrl: &r.url, ReceiptHandle: m.ReceiptHandle})
	return err
}

func (r rig) change(m types.Message, timeout int32) error {
	_, err := r.client.ChangeMessageVisibility(r.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &r.url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: timeout,
	})
	return err
}

// bodies lists the bodies of messages, for comparison.
func bodies(msgs []types.Message) string {
	var out []string
	for _, m := range msgs {
		out = append(out, aws.ToString(m.Body))
	}
	return strings.Join(out, " ")
}

func sorted(s string) string {
	f := strings.Fields(s)
	slices.Sort(f)
	return strings.Join(f, " ")
}

func (r rig) wantBodies(got []types.Message, want string) {
	r.Helper()
	if g := bodies(got); g != want {
		r.Errorf("bodies: got %q, want %q", g, want)
	}
}

func (r rig) wantStats(queue string, want sqstest.Stats) {
	r.Helper()
	if got := r.Stats(queue); got != want {
		r.Errorf("stats of %s: got %+v, want %+v", queue, got, want)
	}
}

func (r rig) wantErr(err error, part string) {
	r.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		r.Errorf("error: got %v, want one with %q", err, part)
	}
}

func (r rig) wantElapsed(from time.Time, want time.Duration) {
	r.Helper()
	if got := time.Since(from); got != want {
		r.Errorf("elapsed: got %v, want %v", got, want)
	}
}

func redrive(s *sqstest.Server, dlq string, maxReceives int) attrs {
	return attrs{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, s.ARN(dlq), maxReceives)}
}
