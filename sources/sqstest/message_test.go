package sqstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A delayed message is invisible until its delay is over, that of the message
// before that of the queue.
func TestDelay(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"DelaySeconds": "60"}, func(r rig) {
		r.send("queue")
		r.send("message", func(in *sqs.SendMessageInput) { in.DelaySeconds = 5 })
		r.wantStats("q", sqstest.Stats{Delayed: 2})
		time.Sleep(5 * time.Second)
		r.wantBodies(r.receive(), "message")
		time.Sleep(55 * time.Second)
		r.wantBodies(r.receive(), "message queue")
	})
}

// A message is gone after the retention period, in flight or not, and a
// dead letter's period counts from the first send.
func TestRetention(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"MessageRetentionPeriod": "60", "VisibilityTimeout": "600"}, func(r rig) {
		r.send("in flight")
		r.receiveOne()
		r.send("visible")
		time.Sleep(time.Minute)
		r.wantStats("q", sqstest.Stats{})
		h := r.History()
		if e := h[len(h)-1]; e.Op != sqstest.OpExpire || e.Queue != "q" {
			r.Errorf("history: got %+v, want an expiry", e)
		}
	})
	withDLQ(t, "", func(r rig) {
		r.send("poison")
		r.bury()
		time.Sleep(4*24*time.Hour - time.Minute - 1)
		r.wantStats("dlq", sqstest.Stats{Visible: 1})
		time.Sleep(time.Nanosecond)
		r.wantStats("dlq", sqstest.Stats{})
	})
}

// Message attributes come back by name, by prefix and all, of every type, with
// the checksum of the developer guide; system attributes only when asked for.
func TestAttributes(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"VisibilityTimeout": "0"}, func(r rig) {
		out := r.send("m", func(in *sqs.SendMessageInput) {
			in.MessageGroupId = aws.String("tenant-1")
			in.MessageAttributes = map[string]types.MessageAttributeValue{
				"app.text": {DataType: aws.String("String"), StringValue: aws.String("v")},
				"app.num":  {DataType: aws.String("Number.int"), StringValue: aws.String("1")},
				"raw":      {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
			}
			in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1")},
			}
		})
		// Computed by hand from the guide: lengths big-endian, names sorted.
		if got, want := aws.ToString(out.MD5OfMessageAttributes), "d4c270f430554042e8b9739fe165dd43"; got != want {
			r.Errorf("MD5OfMessageAttributes: got %s, want %s", got, want)
		}
		for asked, want := range map[string]string{"": "", "raw": "raw", "app.*": "app.num app.text", "All": "app.num app.text raw", ".*": "app.num app.text raw"} {
			m := r.receive(func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = []string{asked} })[0]
			var names []string
			for k := range m.MessageAttributes {
				names = append(names, k)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != want {
				r.Errorf("asked %q: got %q, want %q", asked, got, want)
			}
			if raw, ok := m.MessageAttributes["raw"]; ok && string(raw.BinaryValue) != "\x00\x01\xff" {
				r.Errorf("binary: got %x", raw.BinaryValue)
			}
		}
		m := r.receiveOne()
		if m.Attributes["AWSTraceHeader"] != "Root=1" || m.Attributes["MessageGroupId"] != "tenant-1" || m.Attributes["SequenceNumber"] != "" {
			r.Errorf("system attributes: got %v", m.Attributes)
		}
		m = r.receive(func(in *sqs.ReceiveMessageInput) {
			in.MessageSystemAttributeNames = nil
			//nolint:staticcheck // Older clients ask by the deprecated field.
			in.AttributeNames = []types.QueueAttributeName{"SentTimestamp"}
		})[0]
		if len(m.Attributes) != 1 || m.Attributes["SentTimestamp"] == "" {
			r.Errorf("asked for SentTimestamp: got %v", m.Attributes)
		}
	})
}

// A group id on a standard queue neither orders nor locks.
func TestFairQueue(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		for _, m := range []string{"a1", "a2"} {
			r.send(m, func(in *sqs.SendMessageInput) { in.MessageGroupId = aws.String("a") })
		}
		r.wantBodies(r.receive(atMost(1)), "a1")
		r.wantBodies(r.receive(atMost(1)), "a2")
	})
}

// A batch fails entry by entry, with HTTP 200 and no error.
func TestBatchPartialFailure(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("a")
		r.send("b")
		got := r.receive()
		out, err := r.client.DeleteMessageBatch(r.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &r.url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("0"), ReceiptHandle: got[0].ReceiptHandle},
			{Id: aws.String("1"), ReceiptHandle: aws.String("garbage")},
		}})
		if err != nil || len(out.Successful) != 1 || *out.Successful[0].Id != "0" || len(out.Failed) != 1 {
			r.Fatalf("got %+v %v, want one of each", out, err)
		}
		if f := out.Failed[0]; *f.Id != "1" || *f.Code != "ReceiptHandleIsInvalid" || !f.SenderFault {
			r.Errorf("failed entry: got %+v", f)
		}
		ch, err := r.client.ChangeMessageVisibilityBatch(r.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("0"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 9},
			{Id: aws.String("1"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 0},
		}})
		if err != nil || len(ch.Successful) != 1 || len(ch.Failed) != 1 {
			r.Fatalf("got %+v %v, want one of each", ch, err)
		}
		r.wantStats("q", sqstest.Stats{Visible: 1})
		snd, err := r.client.SendMessageBatch(r.Context(), &sqs.SendMessageBatchInput{QueueUrl: &r.url, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("ok"), MessageBody: aws.String("c")},
			{Id: aws.String("bad"), MessageBody: aws.String("\x01")},
		}})
		if err != nil || len(snd.Successful) != 1 || *snd.Failed[0].Id != "bad" {
			r.Fatalf("got %+v %v, want one of each", snd, err)
		}
	})
}

// Queues are listed by prefix and page, found by name, and tell their
// attributes; a purge empties them and a deleted name is free after a minute.
func TestQueues(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"VisibilityTimeout": "5"}, func(r rig) {
		for i := range 5 {
			r.CreateQueue(fmt.Sprint("list-", i), redrive(r.Server, "q", 3))
		}
		var names []string
		p := sqs.NewListQueuesPaginator(r.client, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("list-"), MaxResults: aws.Int32(2)})
		for p.HasMorePages() {
			out, err := p.NextPage(r.Context())
			if err != nil {
				r.Fatal(err)
			}
			names = append(names, out.QueueUrls...)
		}
		src, err := r.client.ListDeadLetterSourceQueues(r.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &r.url})
		if err != nil || !slices.Equal(src.QueueUrls, names) || len(names) != 5 {
			r.Errorf("got queues %v and sources %v (%v), want the same five", names, src.QueueUrls, err)
		}
		found, err := r.client.GetQueueUrl(r.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
		if err != nil || *found.QueueUrl != r.url {
			r.Errorf("GetQueueUrl: got %v %v, want %s", found, err, r.url)
		}

		r.send("a")
		r.send("b")
		r.receive(atMost(1))
		got, err := r.client.GetQueueAttributes(r.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &r.url, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			r.Fatal(err)
		}
		wanted := attrs{
			"QueueArn": r.ARN("q"), "VisibilityTimeout": "5", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
			"MaximumMessageSize": "1048576", "ApproximateNumberOfMessages": "1", "ApproximateNumberOfMessagesNotVisible": "1",
		}
		for k, want := range wanted {
			if got.Attributes[k] != want {
				r.Errorf("%s: got %q, want %q", k, got.Attributes[k], want)
			}
		}
		if _, err := r.client.PurgeQueue(r.Context(), &sqs.PurgeQueueInput{QueueUrl: &r.url}); err != nil {
			r.Error(err)
		}
		r.wantStats("q", sqstest.Stats{})
		r.client.DeleteQueue(r.Context(), &sqs.DeleteQueueInput{QueueUrl: &r.url})
		time.Sleep(time.Minute)
		if _, err := r.client.CreateQueue(r.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")}); err != nil {
			r.Error(err)
		}
	})
}
