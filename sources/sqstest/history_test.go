package sqstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// The history tells what was applied, when, to which messages, and with which
// error.
func TestHistory(t *testing.T) {
	bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
		start := time.Now()
		sent := r.send("m")
		time.Sleep(time.Second)
		m := r.receiveOne()
		r.change(m, 60)
		r.delete(m)
		r.change(m, 60)
		var got []string
		for _, e := range r.History() {
			got = append(got, fmt.Sprint(e.Op, e.Queue, e.Time.Sub(start), e.MessageIDs, e.Code))
		}
		id := "[" + *sent.MessageId + "]"
		want := []string{
			"SendMessageq0s " + id, "ReceiveMessageq1s " + id, "ChangeMessageVisibilityq1s " + id,
			"DeleteMessageq1s " + id, "ChangeMessageVisibilityq1s []InvalidParameterValue",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			r.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// The history keeps the latest events only, and none when told so.
func TestHistoryBounded(t *testing.T) {
	for size, want := range map[int]string{3: "c d e", -1: "", 9: "a b c d e"} {
		bubble(t, sqstest.Options{HistorySize: size}, "q", nil, func(r rig) {
			body := map[string]string{}
			for _, b := range []string{"a", "b", "c", "d", "e"} {
				body[*r.send(b).MessageId] = b
			}
			var got []string
			for _, e := range r.History() {
				got = append(got, body[e.MessageIDs[0]])
			}
			if strings.Join(got, " ") != want {
				r.Errorf("size %d: got %q, want %q", size, got, want)
			}
		})
	}
}

// Many messages pass through a queue, standard and FIFO, each once.
func TestManyMessages(t *testing.T) {
	for _, queue := range []string{"q", "q.fifo"} {
		bubble(t, sqstest.Options{}, queue, attrs{"VisibilityTimeout": "600"}, func(r rig) {
			r.fill(5000)
			if got := r.drain(); got != 5000 {
				r.Errorf("%s: got %d messages, want 5000", queue, got)
			}
			r.wantStats(queue, sqstest.Stats{})
		})
	}
}

// BenchmarkDrain shows that the cost per message does not grow with the queue.
func BenchmarkDrain(b *testing.B) {
	for _, queue := range []string{"q", "q.fifo"} {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprint(queue, "/", n), func(b *testing.B) {
				for b.Loop() {
					s := sqstest.New(sqstest.Options{})
					r := rig{b, s, s.Client(), s.CreateQueue(queue, attrs{"VisibilityTimeout": "600"})}
					r.fill(n)
					if got := r.drain(); got != n {
						b.Fatalf("got %d messages, want %d", got, n)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
			})
		}
	}
}

// drain receives and deletes in tens until nothing is left.
func (r rig) drain() (n int) {
	r.Helper()
	for {
		got := r.receive()
		if len(got) == 0 {
			return n
		}
		n += len(got)
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &r.url}
		for _, m := range got {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle})
		}
		if out, err := r.client.DeleteMessageBatch(r.Context(), in); err != nil || len(out.Failed) > 0 {
			r.Fatalf("delete: %v %v", out, err)
		}
	}
}

// fill sends n messages in tens, over a thousand groups on FIFO queues.
func (r rig) fill(n int) {
	r.Helper()
	fifo := strings.HasSuffix(r.url, ".fifo")
	for i := 0; i < n; i += 10 {
		in := &sqs.SendMessageBatchInput{QueueUrl: &r.url}
		for k := range 10 {
			e := types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(k)), MessageBody: aws.String(fmt.Sprint(i + k))}
			if fifo {
				e.MessageGroupId, e.MessageDeduplicationId = aws.String(fmt.Sprint((i+k)%1000)), e.MessageBody
			}
			in.Entries = append(in.Entries, e)
		}
		if _, err := r.client.SendMessageBatch(r.Context(), in); err != nil {
			r.Fatal(err)
		}
	}
}
