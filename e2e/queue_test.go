package e2e_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// patience bounds every wait. A poison message takes ten seconds.
const patience = 2 * time.Minute

// order is the body of a message about an order.
func order(id string) string { return fmt.Sprintf(`{"order_id":%q}`, id) }

// send sends bodies, ten a call. A group makes them messages of that group,
// each with a deduplication id of its own: for SQS they are all different.
func (s *stack) send(t *testing.T, queue, group string, bodies ...string) {
	t.Helper()
	url := s.names[queue]
	n := 0
	for chunk := range slices.Chunk(bodies, 10) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &url}
		for _, body := range chunk {
			n++
			e := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), MessageBody: aws.String(body)}
			if group != "" {
				e.MessageGroupId, e.MessageDeduplicationId = aws.String(group), aws.String(group+"-"+strconv.Itoa(n))
			}
			in.Entries = append(in.Entries, e)
		}
		sent, err := s.queues.SendMessageBatch(t.Context(), in)
		if err != nil || len(sent.Failed) > 0 {
			t.Fatalf("send to %s: %v, failed: %+v", queue, err, sent)
		}
	}
}

// receive waits for as many messages as are wanted and returns them. They stay
// on the queue.
func (s *stack) receive(t *testing.T, queue string, want int) []types.Message {
	t.Helper()
	url := s.names[queue]
	var got []types.Message
	for deadline := time.Now().Add(patience); len(got) < want; {
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %d messages, still waiting for %d", queue, len(got), want)
		}
		in := &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, VisibilityTimeout: 600,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		}
		out, err := s.queues.ReceiveMessage(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.Messages...)
	}
	return got
}

// holds returns how many messages the queue has, received or not.
func (s *stack) holds(t *testing.T, queue string) int {
	t.Helper()
	url := s.names[queue]
	out, err := s.queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	} {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			t.Fatalf("%s: %s: %v", queue, name, err)
		}
		total += n
	}
	return total
}

// drained waits until the queue is empty.
func (s *stack) drained(t *testing.T, queue string) {
	t.Helper()
	waitFor(t, queue+" to be empty", func() bool { return s.holds(t, queue) == 0 })
}

// waitFor waits until done.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("still waiting for ", what)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// bodies returns the bodies of messages, sorted.
func bodies(messages []types.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, aws.ToString(m.Body))
	}
	slices.Sort(all)
	return all
}
