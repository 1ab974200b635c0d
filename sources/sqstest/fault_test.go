package sqstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// once applies a to the first request of an operation.
func once(r rig, op string, a sqstest.Action) {
	r.Fault(func(o string, _ sqstest.Request) sqstest.Action {
		if o != op {
			return sqstest.Action{}
		}
		r.Fault(nil)
		return a
	})
}

// A dropped request was not applied, a dropped response was; the SDK sends
// again after both.
func TestDrop(t *testing.T) {
	for _, tt := range []struct {
		action sqstest.Action
		want   int
	}{
		{sqstest.Action{DropRequest: true}, 1},
		{sqstest.Action{DropResponse: true}, 2},
	} {
		bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
			once(r, "SendMessage", tt.action)
			r.send("m")
			r.wantStats("q", sqstest.Stats{Visible: tt.want})
			if h := r.History(); len(h) != tt.want || h[0].Lost != (tt.want == 2) {
				r.Errorf("history: got %+v, want %d events", h, tt.want)
			}
		})
	}
}

// A lost answer to a receive leaves its messages in flight.
func TestDropReceive(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		once(r, "ReceiveMessage", sqstest.Action{DropResponse: true})
		start := time.Now()
		got := r.receive(wait(20))
		got = append(got, r.receive(wait(20))...)
		r.wantBodies(got, "m")
		if e := time.Since(start); e != 30*time.Second {
			r.Errorf("message came back after %v, want 30s", e)
		}
	})
}

// A corrupted checksum makes the SDK discard the answer to a receive, a send
// and a batch, with an error and without another try.
func TestCorruptMD5(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		r.Fault(func(string, sqstest.Request) sqstest.Action { return sqstest.Action{CorruptMD5: true} })
		_, err := r.client.ReceiveMessage(r.Context(), &sqs.ReceiveMessageInput{QueueUrl: &r.url})
		r.wantErr(err, "checksum")
		r.wantStats("q", sqstest.Stats{InFlight: 1})
		_, err = r.client.SendMessage(r.Context(), &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: aws.String("n")})
		r.wantErr(err, "checksum")
		r.wantErr(sendBatch(2, func(i int) (string, string) { return string(rune('a' + i)), "o" })(r.Context(), r.client, &r.url), "checksum")
		r.wantStats("q", sqstest.Stats{Visible: 3, InFlight: 1})
	})
}

// A truncated answer is an error of the transport, not an empty answer.
func TestTruncate(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		r.Fault(func(string, sqstest.Request) sqstest.Action { return sqstest.Action{Truncate: true} })
		out, err := r.client.ReceiveMessage(r.Context(), &sqs.ReceiveMessageInput{QueueUrl: &r.url})
		r.wantErr(err, "unexpected EOF")
		if out != nil {
			r.Errorf("output: got %+v, want nil", out)
		}
	})
}

// A delay comes before the request is applied, a response delay after, and
// both end with the context.
func TestDelayFault(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		once(r, "SendMessage", sqstest.Action{Delay: 3 * time.Second, DelayResponse: 4 * time.Second})
		start := time.Now()
		r.send("m")
		r.wantElapsed(start, 7*time.Second)
		if sent := r.Messages("q")[0].Sent; sent.Sub(start) != 3*time.Second {
			r.Errorf("applied after %v, want 3s", sent.Sub(start))
		}
		once(r, "SendMessage", sqstest.Action{DelayResponse: time.Hour})
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_, err := r.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: aws.String("n")})
		if !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("got %v, want DeadlineExceeded", err)
		}
		r.wantElapsed(start, 8*time.Second)
		r.wantStats("q", sqstest.Stats{Visible: 2})
	})
}

// A fault sees the entries of a batch with their message ids and fails single
// ones.
func TestFailEntries(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		keep := r.send("keep")
		r.send("delete")
		r.Fault(func(op string, req sqstest.Request) sqstest.Action {
			a := sqstest.Action{FailEntries: map[int]*sqstest.Error{}}
			for i, e := range req.Entries {
				if op == "DeleteMessageBatch" && req.Queue == "q" && e.MessageID == *keep.MessageId {
					a.FailEntries[i] = &sqstest.Error{Code: "InternalFailure"}
				}
			}
			return a
		})
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &r.url}
		for _, m := range r.receive() {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle})
		}
		out, err := r.client.DeleteMessageBatch(r.Context(), in)
		if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != *keep.MessageId || out.Failed[0].SenderFault {
			r.Errorf("got %+v %v, want one of each", out, err)
		}
		if left := r.Messages("q"); len(left) != 1 || left[0].Body != "keep" {
			r.Errorf("left: got %+v, want keep", left)
		}
	})
}

// A panic in a fault is an error of the client and leaves the server usable.
func TestFaultPanics(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.Fault(func(string, sqstest.Request) sqstest.Action { panic("broken hook") })
		_, err := r.client.SendMessage(r.Context(), &sqs.SendMessageInput{QueueUrl: &r.url, MessageBody: aws.String("m")})
		r.wantErr(err, "broken hook")
		r.Fault(nil)
		r.send("m")
		r.wantStats("q", sqstest.Stats{Visible: 1})
	})
}
