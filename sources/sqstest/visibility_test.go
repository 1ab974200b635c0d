package sqstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A message that is not deleted comes back when its visibility timeout ends,
// with the same id, a new handle and a higher count.
func TestVisibilityTimeout(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"VisibilityTimeout": "10"}, func(r rig) {
		sent := r.send("m")
		first := r.receiveOne()
		time.Sleep(10*time.Second - 1)
		r.wantBodies(r.receive(), "")
		time.Sleep(time.Nanosecond)
		second := r.receiveOne()
		if *second.MessageId != *sent.MessageId || *second.ReceiptHandle == *first.ReceiptHandle {
			r.Errorf("second receive: got id %s and handle %s, want the id of the send and a new handle", *second.MessageId, *second.ReceiptHandle)
		}
		if first.Attributes["ApproximateReceiveCount"] != "1" || second.Attributes["ApproximateReceiveCount"] != "2" {
			r.Errorf("counts: got %v and %v, want 1 and 2", first.Attributes, second.Attributes)
		}
		for _, same := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
			if first.Attributes[same] != second.Attributes[same] {
				r.Errorf("%s: got %s then %s, want no change", same, first.Attributes[same], second.Attributes[same])
			}
		}
	})
}

// A receive may set the visibility timeout, and a change counts from now and
// is not remembered.
func TestChangeVisibility(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", attrs{"VisibilityTimeout": "10"}, func(r rig) {
		r.send("m")
		m := r.receive(func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = 100 })[0]
		time.Sleep(50 * time.Second)
		if err := r.change(m, 100); err != nil {
			r.Fatal(err)
		}
		time.Sleep(100*time.Second - 1)
		r.wantStats("q", sqstest.Stats{InFlight: 1})
		time.Sleep(time.Nanosecond)
		m = r.receiveOne()
		if err := r.change(m, 0); err != nil {
			r.Fatal(err)
		}
		r.wantStats("q", sqstest.Stats{Visible: 1})
		r.receiveOne()
		time.Sleep(10 * time.Second)
		r.wantStats("q", sqstest.Stats{Visible: 1})
	})
}

// A message is invisible for twelve hours at most, from the receive on; more
// is an error and changes nothing.
func TestTwelveHours(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		m := r.receiveOne()
		if err := r.change(m, 43200); err != nil {
			r.Fatal(err)
		}
		time.Sleep(time.Hour)
		r.wantErr(r.change(m, 11*3600+1), "beyond the limit")
		r.wantErr(r.change(m, 43201), "between 0 and 43200")
		if err := r.change(m, 11*3600); err != nil {
			r.Errorf("change to what is left: %v", err)
		}
		time.Sleep(11 * time.Hour)
		r.wantStats("q", sqstest.Stats{Visible: 1})
	})
}

// The visibility of a message that is visible, deleted or somebody else's
// cannot be changed; LateExtend allows the first.
func TestChangeVisibilityTooLate(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		m := r.receiveOne()
		time.Sleep(30 * time.Second)
		if err := r.change(m, 30); !isType[*types.MessageNotInflight](err) {
			r.Errorf("visible: got %v, want MessageNotInflight", err)
		}
		again := r.receiveOne()
		r.wantErr(r.change(m, 30), "InvalidParameterValue")
		r.delete(again)
		r.wantErr(r.change(again, 30), "InvalidParameterValue")
	})
	bubble(t, sqstest.Options{LateExtend: true}, "q", nil, func(r rig) {
		r.send("m")
		m := r.receiveOne()
		time.Sleep(30 * time.Second)
		if err := r.change(m, 30); err != nil {
			r.Errorf("LateExtend: %v", err)
		}
		r.wantStats("q", sqstest.Stats{InFlight: 1})
	})
}

// A standard queue deletes by a handle that is expired, stale or used; a stale
// one deletes nothing under IgnoreStaleDelete.
func TestDeleteLate(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		bubble(t, sqstest.Options{IgnoreStaleDelete: ignore}, "q", nil, func(r rig) {
			r.send("expired")
			m := r.receiveOne()
			time.Sleep(30 * time.Second)
			if err := r.delete(m); err != nil || r.Stats("q").Total() != 0 {
				r.Errorf("expired handle: got %v and %+v, want the message deleted", err, r.Stats("q"))
			}
			if err := r.delete(m); err != nil {
				r.Errorf("second delete: %v", err)
			}

			r.send("stale")
			m = r.receiveOne()
			time.Sleep(30 * time.Second)
			r.receiveOne()
			want := 0
			if ignore {
				want = 1
			}
			if err := r.delete(m); err != nil || r.Stats("q").Total() != want {
				r.Errorf("stale handle, ignored %v: got %v and %d messages, want %d", ignore, err, r.Stats("q").Total(), want)
			}
		})
	}
}

// A handle works on its own queue only.
func TestHandleOfOtherQueue(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		r.send("m")
		m := r.receiveOne()
		r.url = r.CreateQueue("other", nil)
		if err := r.delete(m); !isType[*types.ReceiptHandleIsInvalid](err) {
			r.Errorf("got %v, want ReceiptHandleIsInvalid", err)
		}
	})
}

// Messages in flight are limited: a standard queue answers OverLimit to short
// polls and lets long polls wait, a FIFO queue returns less.
func TestInFlightLimit(t *testing.T) {
	opts := sqstest.Options{MaxInFlight: 3}
	bubble(t, opts, "q", nil, func(r rig) {
		for range 5 {
			r.send("m")
		}
		got := r.receive()
		if len(got) != 3 {
			r.Fatalf("got %d messages, want 3", len(got))
		}
		_, err := r.client.ReceiveMessage(r.Context(), &sqs.ReceiveMessageInput{QueueUrl: &r.url})
		if !isType[*types.OverLimit](err) {
			r.Errorf("short poll: got %v, want OverLimit", err)
		}
		start := time.Now()
		time.AfterFunc(time.Second, func() { r.delete(got[0]) })
		r.wantBodies(r.receive(wait(20)), "m")
		r.wantElapsed(start, time.Second)
	})
	bubble(t, opts, "q.fifo", nil, func(r rig) {
		for _, g := range []string{"a", "b", "c", "d"} {
			r.send(g, group(g))
		}
		r.wantBodies(r.receive(), "a b c")
		r.wantBodies(r.receive(), "")
	})
}
