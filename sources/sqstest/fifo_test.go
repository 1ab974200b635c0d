package sqstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A receive returns the messages of a group in order, then those of the next
// group.
func TestFIFOOrder(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		for _, m := range []string{"a1", "b1", "a2", "b2", "a3", "c1"} {
			r.send(m, group(m[:1]))
		}
		got := r.receive(atMost(4))
		r.wantBodies(got, "a1 a2 a3 b1")
		if a, b := got[0].Attributes["SequenceNumber"], got[1].Attributes["SequenceNumber"]; len(a) != 20 || a >= b {
			r.Errorf("sequence numbers: got %s then %s, want 20 digits, ascending", a, b)
		}
	})
}

// While a message of a group is in flight nothing more of the group is
// returned; when it comes back the group starts again at its first message.
func TestFIFOGroupLock(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		for _, m := range []string{"a1", "a2", "a3", "b1"} {
			r.send(m, group(m[:1]))
		}
		got := r.receive(atMost(2))
		r.wantBodies(got, "a1 a2")
		r.wantBodies(r.receive(), "b1")
		if err := r.delete(got[1]); err != nil {
			r.Fatal(err)
		}
		r.wantBodies(r.receive(), "")
		r.send("a4", group("a"))
		r.wantBodies(r.receive(), "")
		time.Sleep(30 * time.Second)
		r.wantBodies(r.receive(), "a1 a3 a4 b1")
	})
}

// Making one of two messages in flight visible does not unlock the group.
func TestFIFOPartialRelease(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		r.send("a1", group("a"))
		r.send("a2", group("a"))
		got := r.receive()
		r.change(got[0], 0)
		r.wantBodies(r.receive(), "")
		r.change(got[1], 0)
		r.wantBodies(r.receive(), "a1 a2")
	})
}

// A handle of a FIFO queue ends with its visibility timeout.
func TestFIFOExpiredHandle(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		r.send("m", group("g"))
		m := r.receiveOne()
		time.Sleep(30 * time.Second)
		r.wantErr(r.delete(m), "The receipt handle has expired")
		again := r.receiveOne()
		r.wantErr(r.delete(m), "The receipt handle has expired")
		if err := r.delete(again); err != nil {
			r.Error(err)
		}
		if err := r.delete(again); err != nil {
			r.Errorf("second delete: %v", err)
		}
	})
}

// A FIFO queue answers a duplicate with the first message for five minutes,
// even when that was deleted.
func TestFIFODeduplication(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		first := r.send("m", group("a"))
		r.delete(r.receiveOne())
		time.Sleep(5*time.Minute - 1)
		second := r.send("m", group("b"))
		if *second.MessageId != *first.MessageId || *second.SequenceNumber != *first.SequenceNumber {
			r.Errorf("duplicate: got %s, want %s", *second.MessageId, *first.MessageId)
		}
		r.wantStats("q.fifo", sqstest.Stats{})
		time.Sleep(time.Nanosecond)
		if third := r.send("m", group("a")); *third.MessageId == *first.MessageId {
			r.Error("after five minutes: got the first message, want a new one")
		}
	})
}

// Deduplication is by group when the queue says so, and by content when the
// queue says so and the sender gives no id.
func TestFIFODeduplicationScope(t *testing.T) {
	a := attrs{"DeduplicationScope": "messageGroup", "ContentBasedDeduplication": "true"}
	noID := func(g string) func(*sqs.SendMessageInput) {
		return func(in *sqs.SendMessageInput) { in.MessageGroupId = &g }
	}
	bubble(t, sqstest.Options{}, "q.fifo", a, func(r rig) {
		r.send("m", noID("a"))
		r.send("m", noID("a"))
		r.send("m", noID("b"))
		r.send("n", noID("b"))
		r.wantBodies(r.receive(), "m m n")
	})
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		_, err := r.client.SendMessage(r.Context(), &sqs.SendMessageInput{
			QueueUrl: &r.url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g")})
		r.wantErr(err, "ContentBasedDeduplication")
		_, err = r.client.SendMessage(r.Context(), &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: aws.String("m")})
		r.wantErr(err, "MissingParameter")
		_, err = r.client.SendMessage(r.Context(), &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: aws.String("m"),
			MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d"), DelaySeconds: 3})
		r.wantErr(err, "DelaySeconds")
	})
}

// The same ReceiveRequestAttemptId returns the same messages and handles and
// starts their visibility timeouts anew, until one of them is changed.
func TestFIFOReceiveAttempt(t *testing.T) {
	attempt := func(in *sqs.ReceiveMessageInput) { in.ReceiveRequestAttemptId = aws.String("try") }
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		r.send("m", group("a"))
		r.send("n", group("b"))
		first := r.receive(attempt)
		time.Sleep(20 * time.Second)
		second := r.receive(attempt)
		r.wantBodies(second, "m n")
		if *first[0].ReceiptHandle != *second[0].ReceiptHandle {
			r.Error("handles differ, want the same")
		}
		time.Sleep(20 * time.Second)
		r.wantStats("q.fifo", sqstest.Stats{InFlight: 2})
		r.delete(first[0])
		r.wantBodies(r.receive(attempt), "")
	})
}

// A delay of a FIFO queue holds a group back in order.
func TestFIFODelay(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", attrs{"DelaySeconds": "10"}, func(r rig) {
		r.send("a1", group("a"))
		time.Sleep(5 * time.Second)
		r.send("a2", group("a"))
		r.wantStats("q.fifo", sqstest.Stats{Delayed: 2})
		time.Sleep(5 * time.Second)
		r.delete(r.receiveOne())
		r.wantBodies(r.receive(wait(20)), "a2")
	})
}

// No group starves: a group that was served goes behind the others.
func TestFIFOFairness(t *testing.T) {
	bubble(t, sqstest.Options{}, "q.fifo", nil, func(r rig) {
		for _, m := range []string{"a1", "a2", "a3", "b1"} {
			r.send(m, group(m[:1]))
		}
		m := r.receive(atMost(1))
		r.delete(m[0])
		r.wantBodies(r.receive(atMost(1)), "b1")
	})
}
