package sqstest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A long poll that finds nothing ends after its wait time, and after that of
// the queue when the request has none.
func TestLongPollEnds(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"ReceiveMessageWaitTimeSeconds": "7"}, func(r rig) {
		start := time.Now()
		r.wantBodies(r.receive(wait(20)), "")
		r.wantElapsed(start, 20*time.Second)
		r.wantBodies(r.receive(), "")
		r.wantElapsed(start, 27*time.Second)
	})
}

// A long poll wakes at the moment something makes a message available.
func TestLongPollWakes(t *testing.T) {
	tests := []struct {
		name, queue string
		attrs       attrs
		prepare     func(r rig)
		after       time.Duration
	}{
		{"send", "q", nil, func(r rig) {
			go func() { time.Sleep(3 * time.Second); r.send("m") }()
		}, 3 * time.Second},
		{"delay end", "q", nil, func(r rig) {
			r.send("m", func(in *sqs.SendMessageInput) { in.DelaySeconds = 4 })
		}, 4 * time.Second},
		{"send with delay", "q", attrs{"DelaySeconds": "2"}, func(r rig) {
			go func() { time.Sleep(time.Second); r.send("m") }()
		}, 3 * time.Second},
		{"visibility end", "q", attrs{"VisibilityTimeout": "5"}, func(r rig) {
			r.send("m")
			r.receiveOne()
		}, 5 * time.Second},
		{"change of visibility", "q", nil, func(r rig) {
			r.send("m")
			m := r.receiveOne()
			go func() { time.Sleep(2 * time.Second); r.change(m, 1) }()
		}, 3 * time.Second},
		{"group unlock", "q.fifo", nil, func(r rig) {
			r.send("first", group("g"))
			m := r.receiveOne()
			r.send("m", group("g"))
			go func() { time.Sleep(6 * time.Second); r.delete(m) }()
		}, 6 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, sqstest.Options{}, tt.queue, tt.attrs, func(r rig) {
				start := time.Now()
				tt.prepare(r)
				r.wantBodies(r.receive(wait(20)), "m")
				r.wantElapsed(start, tt.after)
			})
		})
	}
}

// A long poll that started before another consumer received learns when that
// visibility timeout ends.
func TestLongPollSeesLaterReceive(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"VisibilityTimeout": "5"}, func(r rig) {
		start := time.Now()
		done := make(chan string, 2)
		for range 2 {
			go func() { done <- bodies(r.receive(wait(20))) }()
		}
		synctest.Wait()
		r.send("m")
		if got := <-done + <-done; got != "mm" {
			r.Errorf("two long polls: got %q, want both to receive m", got)
		}
		r.wantElapsed(start, 5*time.Second)
	})
}

// One message wakes one of many long polls; the others wait on.
func TestLongPollOneWinner(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		won := make(chan int, 20)
		for range 20 {
			go func() { won <- len(r.receive(wait(10))) }()
		}
		synctest.Wait()
		r.send("m")
		sum := 0
		for range 20 {
			sum += <-won
		}
		if sum != 1 {
			r.Errorf("deliveries: got %d, want 1", sum)
		}
	})
}

// A long poll ends with its context, at once, and takes no message with it.
func TestLongPollCancel(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		ctx, cancel := context.WithCancel(r.Context())
		start := time.Now()
		time.AfterFunc(2*time.Second, cancel)
		_, err := r.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &r.url, WaitTimeSeconds: 20})
		if !errors.Is(err, context.Canceled) {
			r.Errorf("error: got %v, want context.Canceled", err)
		}
		r.wantElapsed(start, 2*time.Second)
		r.send("m")
		r.wantStats("q", sqstest.Stats{Visible: 1})
	})
}

// A long poll on a queue that is deleted ends with QueueDoesNotExist.
func TestLongPollQueueDeleted(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		time.AfterFunc(time.Second, func() {
			r.client.DeleteQueue(r.Context(), &sqs.DeleteQueueInput{QueueUrl: &r.url})
		})
		_, err := r.client.ReceiveMessage(r.Context(), &sqs.ReceiveMessageInput{QueueUrl: &r.url, WaitTimeSeconds: 20})
		if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
			r.Errorf("error: got %v, want QueueDoesNotExist", err)
		}
	})
}
