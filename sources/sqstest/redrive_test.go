package sqstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// withDLQ is a bubble with a queue "src" that moves to "dlq" after two
// receives; both names get the suffix.
func withDLQ(t *testing.T, suffix string, f func(rig)) {
	t.Helper()
	bubble(t, sqstest.Options{}, "dlq"+suffix, nil, func(r rig) {
		r.url = r.CreateQueue("src"+suffix, redrive(r.Server, "dlq"+suffix, 2))
		f(r)
	})
}

// bury receives until all messages are in the dead-letter queue.
func (r rig) bury() {
	for range 2 {
		r.receive()
		time.Sleep(30 * time.Second)
	}
	r.wantBodies(r.receive(), "")
}

// The receive that would exceed maxReceiveCount moves the message to the
// dead-letter queue with its id, its count and, on standard queues, its time.
func TestDeadLetter(t *testing.T) {
	withDLQ(t, "", func(r rig) {
		start := time.Now()
		sent := r.send("poison")
		r.bury()
		r.wantStats("src", sqstest.Stats{})
		dead := r.Messages("dlq")
		if len(dead) != 1 || dead[0].ID != *sent.MessageId || dead[0].SourceARN != r.ARN("src") || dead[0].ReceiveCount != 2 {
			r.Fatalf("dead letters: got %+v", dead)
		}
		if !dead[0].Sent.Equal(start) {
			r.Errorf("sent: got %v, want %v", dead[0].Sent, start)
		}
		r.url = r.CreateQueue("dlq", nil)
		m := r.receiveOne()
		if m.Attributes["DeadLetterQueueSourceArn"] != r.ARN("src") || m.Attributes["ApproximateReceiveCount"] != "3" {
			r.Errorf("attributes: got %v", m.Attributes)
		}
		h := r.History()
		if e := h[len(h)-3]; e.Op != sqstest.OpDeadLetter || e.Queue != "src" || e.MessageIDs[0] != *sent.MessageId {
			r.Errorf("history: got %+v", h)
		}
	})
}

// Between FIFO queues the message keeps its id and group, gets its id as
// deduplication id and a new time, and the group goes on.
func TestDeadLetterFIFO(t *testing.T) {
	withDLQ(t, ".fifo", func(r rig) {
		sent := r.send("poison", group("g"))
		for range 2 {
			r.receive(atMost(1))
			time.Sleep(30 * time.Second)
		}
		r.send("next", group("g"))
		r.wantBodies(r.receive(), "next")
		d := r.Messages("dlq.fifo")[0]
		if d.ID != *sent.MessageId || d.DeduplicationID != d.ID || d.GroupID != "g" || !d.Sent.Equal(time.Now()) {
			r.Errorf("dead letter: got %+v", d)
		}
	})
}

// A move task sends dead letters to their source as new messages: new id, new
// time, never received.
func TestMoveTask(t *testing.T) {
	withDLQ(t, "", func(r rig) {
		sent := r.send("poison")
		r.bury()
		_, err := r.client.StartMessageMoveTask(r.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("dlq"))})
		if err != nil {
			r.Fatal(err)
		}
		r.wantStats("dlq", sqstest.Stats{})
		m := r.receiveOne()
		if *m.MessageId == *sent.MessageId || m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
			r.Errorf("moved message: got %s %v", *m.MessageId, m.Attributes)
		}
		list, err := r.client.ListMessageMoveTasks(r.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(r.ARN("dlq"))})
		if err != nil || len(list.Results) != 1 {
			r.Fatalf("list: got %v %v", list, err)
		}
		if g := list.Results[0]; *g.Status != "COMPLETED" || g.ApproximateNumberOfMessagesMoved != 1 || g.TaskHandle != nil {
			r.Errorf("task: got %s, %d moved, handle %v", *g.Status, g.ApproximateNumberOfMessagesMoved, g.TaskHandle)
		}
	})
}

// A move task with a rate moves that many messages a second, wakes long polls
// for them, excludes a second task, and stops when cancelled.
func TestMoveTaskRate(t *testing.T) {
	withDLQ(t, "", func(r rig) {
		for range 6 {
			r.send("m")
		}
		r.bury()
		in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("dlq")), MaxNumberOfMessagesPerSecond: aws.Int32(1)}
		start := time.Now()
		task, err := r.client.StartMessageMoveTask(r.Context(), in)
		if err != nil {
			r.Fatal(err)
		}
		if _, err := r.client.StartMessageMoveTask(r.Context(), in); !isType[*types.UnsupportedOperation](err) {
			r.Errorf("second task: got %v, want UnsupportedOperation", err)
		}
		r.wantBodies(r.receive(wait(20)), "m")
		r.wantElapsed(start, time.Second)
		time.Sleep(2 * time.Second)
		out, err := r.client.CancelMessageMoveTask(r.Context(), &sqs.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle})
		if err != nil || out.ApproximateNumberOfMessagesMoved != 3 {
			r.Errorf("cancel: got %+v %v, want 3 moved", out, err)
		}
		time.Sleep(time.Minute)
		r.wantStats("dlq", sqstest.Stats{Visible: 3})
	})
}

// A move task needs a dead-letter queue as its source, fails on messages that
// have none themselves, and may name another destination.
func TestMoveTaskSources(t *testing.T) {
	withDLQ(t, "", func(r rig) {
		start := func(in sqs.StartMessageMoveTaskInput) error {
			_, err := r.client.StartMessageMoveTask(r.Context(), &in)
			return err
		}
		r.wantErr(start(sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("src"))}), "Dead Letter Queue")
		if err := start(sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("none"))}); !isType[*types.ResourceNotFoundException](err) {
			r.Errorf("unknown source: got %v, want ResourceNotFoundException", err)
		}
		r.url = r.CreateQueue("dlq", nil)
		r.send("direct")
		if err := start(sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("dlq"))}); err != nil {
			r.Error(err)
		}
		list, _ := r.client.ListMessageMoveTasks(r.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(r.ARN("dlq"))})
		if g := list.Results[0]; *g.Status != "FAILED" || *g.FailureReason != "CouldNotDetermineMessageSource" {
			r.Errorf("task: got %s %v", *g.Status, g.FailureReason)
		}
		r.CreateQueue("aside", nil)
		err := start(sqs.StartMessageMoveTaskInput{SourceArn: aws.String(r.ARN("dlq")), DestinationArn: aws.String(r.ARN("aside"))})
		if err != nil {
			r.Error(err)
		}
		r.wantStats("aside", sqstest.Stats{Visible: 1})
	})
}
