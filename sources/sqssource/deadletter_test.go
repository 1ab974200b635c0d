package sqssource_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

var errPoison = errors.New("poison \x00\xff pill")

// poison is a handler that fails each message for good.
func poison(context.Context, *consumer.Record) error { return consumer.Permanent(errPoison) }

// attributes gives a message n message attributes, the first of them binary.
func attributes(n int) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{
			"a0": {DataType: aws.String("Binary.x"), BinaryValue: []byte{1, 2, 3}},
		}
		for i := 1; i < n; i++ {
			in.MessageAttributes[fmt.Sprint("a", i)] = types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: aws.String(fmt.Sprint(i))}
		}
	}
}

// letters receives all of the dead-letter queue, for a moment.
func (b *bed) letters() []types.Message {
	b.Helper()
	url := b.urls[b.dead]
	out, err := b.client.Client.ReceiveMessage(b.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 1, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Second)
	return out.Messages
}

func text(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}

// A message that failed for good is in the dead-letter queue of the redrive
// policy at once, with its body and attributes, why, and the id it had.
func TestPermanentGoesToTheDeadLetterQueue(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.send("m0 body", attributes(8), group("tenant"), func(in *sqs.SendMessageInput) {
			in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-2-3")},
			}
		})
		id := b.server.Messages(b.queue)[0].ID
		r := b.start(poison, sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 1, Failed: 1})
		b.left["dead"] = 1
		b.once(1)
		got := b.letters()
		if len(got) != 1 {
			b.Fatalf("got %d dead letters, want 1", len(got))
		}
		m := got[0]
		if *m.Body != "m0 body" || len(m.MessageAttributes) != 10 || text(m, "a7") != "7" ||
			string(m.MessageAttributes["a0"].BinaryValue) != "\x01\x02\x03" || aws.ToString(m.MessageAttributes["a0"].DataType) != "Binary.x" {
			b.Errorf("got %q with %v, want body and attributes as they were", *m.Body, m.MessageAttributes)
		}
		if text(m, "onlyonce.message-id") != id || !strings.Contains(text(m, "onlyonce.reason"), "poison    pill") {
			b.Errorf("got id %q and reason %q, want %q and the error", text(m, "onlyonce.message-id"), text(m, "onlyonce.reason"), id)
		}
		if m.Attributes["MessageGroupId"] != "tenant" || m.Attributes["AWSTraceHeader"] != "Root=1-2-3" {
			b.Errorf("got %v, want group and trace as they were", m.Attributes)
		}
		e := wantSeen[consumer.DeadLettered](b, 1)
		if len(e) == 1 && (e[0].Err != nil || !errors.Is(e[0].Reason, errPoison) || e[0].Queue != b.urls["dead"]) {
			b.Errorf("dead_lettered: got %+v", e[0])
		}
	})
}

// With nine attributes of its own a message has room for the id alone; with
// ten for none, and then it is left to SQS, which keeps its id.
func TestDeadLetterWithoutRoom(t *testing.T) {
	bubble(t, setting{receives: 2}, func(b *bed) {
		b.send("nine", attributes(9))
		b.send("ten", attributes(10))
		ids := map[string]string{}
		for _, m := range b.server.Messages(b.queue) {
			ids[m.Body] = m.ID
		}
		r := b.start(poison, sqssource.Options{})
		b.until("both are dead letters", func() bool { return b.server.Stats("dead").Total() == 2 && b.server.Stats(b.queue).Total() == 0 })
		r.stop()
		b.left["dead"] = 2
		for _, m := range b.letters() {
			id := text(m, "onlyonce.message-id")
			if *m.Body == "ten" {
				id = *m.MessageId
			}
			if id != ids[*m.Body] || text(m, "onlyonce.reason") != "" {
				b.Errorf("%s: got id %q and %v, want id %q and no reason", *m.Body, id, m.MessageAttributes, ids[*m.Body])
			}
		}
		if b.ledger.ran("nine") != 1 || b.ledger.ran("ten") != 2 {
			b.Errorf("runs: got %d and %d, want 1 and 2", b.ledger.ran("nine"), b.ledger.ran("ten"))
		}
	})
}

// A copy in the dead-letter queue that doubled, since the answer to its
// sending was lost, is the same work: the two run once, under the id that the
// message had.
func TestDoubledDeadLetterRunsOnce(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.sendMany(5)
		ids := map[string]string{}
		for _, m := range b.server.Messages(b.queue) {
			ids[m.Body] = m.ID
		}
		var n atomic.Int64
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			a.DropResponse = op == "SendMessage" && n.Add(1)%2 == 1
			return a
		})
		first := b.start(poison, sqssource.Options{})
		b.drain()
		first.stop()
		if got := b.server.Stats("dead").Total(); got != 10 {
			b.Errorf("got %d dead letters, want each of 5 twice", got)
		}
		second := b.startOn(b.urls["dead"], func(_ context.Context, rec *consumer.Record) error {
			if rec.ID != ids[string(rec.Body)] || rec.MessageID == rec.ID {
				b.Errorf("%s: got ID %s and MessageID %s, want the ID %s that it had", rec.Body, rec.ID, rec.MessageID, ids[string(rec.Body)])
			}
			return nil
		}, sqssource.Options{})
		b.until("the dead letters are gone", func() bool { return b.server.Stats("dead").Total() == 0 })
		b.wantReport(second.stop(), sqssource.Report{Received: 10, Done: 5, Duplicates: 5})
	})
}

// A dead letter that fails for good again, and is moved again, keeps its first
// id and gets the newest reason.
func TestDeadLetterOfADeadLetter(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.send("m0")
		id := b.server.Messages(b.queue)[0].ID
		b.start(poison, sqssource.Options{})
		b.drain()
		last := b.create("last", nil)
		b.startOn(b.urls["dead"], func(context.Context, *consumer.Record) error { return consumer.Permanent(errNo) },
			sqssource.Options{DeadLetterURL: last})
		b.until("it is moved", func() bool { return b.server.Stats("last").Total() == 1 && b.server.Stats("dead").Total() == 0 })
		b.dead, b.left["last"] = "last", 1
		if m := b.letters()[0]; text(m, "onlyonce.message-id") != id || text(m, "onlyonce.reason") != "permanent: no" {
			b.Errorf("got %v, want id %s and reason \"permanent: no\"", m.MessageAttributes, id)
		}
	})
}

// Sending a dead letter is tried again when the SDK has given up.
func TestDeadLetterIsSentAgain(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.sendMany(1)
		var n atomic.Int64
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			a.DropRequest = op == "SendMessage" && n.Add(1) <= 4
			return a
		})
		b.start(poison, sqssource.Options{})
		b.drain()
		b.once(1)
		b.left["dead"] = 1
	})
}

// Without a dead-letter queue, or while it cannot be reached, a permanent
// failure is a failure like any other.
func TestPermanentWithoutDeadLetterQueue(t *testing.T) {
	for name, send := range map[string]sqstest.Action{
		"none":   {},
		"denied": {Err: &sqstest.Error{Code: "AccessDenied", Status: 403}},
		"500":    {Err: &sqstest.Error{Code: "InternalFailure"}},
		"broken": {DropRequest: true},
	} {
		t.Run(name, func(t *testing.T) {
			set := setting{receives: 100}
			if name == "none" {
				set.receives = 0
			}
			bubble(t, set, func(b *bed) {
				b.sendMany(5)
				b.server.Fault(only("SendMessage", send))
				r := b.start(failing(3, consumer.Permanent(errNo)), sqssource.Options{})
				b.drain()
				b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 5, Failed: 15})
				for _, e := range seen[consumer.DeadLettered](b) {
					if e.Err == nil {
						b.Errorf("dead_lettered without an error")
					}
				}
			})
		})
	}
}

// A parked message of an at-most-once consumer goes to the dead-letter queue:
// a person decides.
func TestParkedGoesToTheDeadLetterQueue(t *testing.T) {
	bubble(t, setting{receives: 50, guard: dedupe.Options{AtMostOnce: true}}, func(b *bed) {
		b.sendMany(5)
		r := b.start(failing(1, errNo), sqssource.Options{})
		b.drain()
		r.stop()
		b.once(5)
		b.left["dead"] = 5
		wantSeen[consumer.Parked](b, 5)
		for _, m := range b.letters() {
			if !strings.Contains(text(m, "onlyonce.reason"), "parked") {
				b.Errorf("reason: got %q, want one that says parked", text(m, "onlyonce.reason"))
			}
		}
	})
}

// A reason is cut to what an attribute holds, between characters.
func TestLongReason(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.send("m0")
		b.start(func(context.Context, *consumer.Record) error {
			return consumer.Permanent(errors.New(strings.Repeat("ä\x01", 100_000)))
		}, sqssource.Options{})
		b.drain()
		b.left["dead"] = 1
		if s := text(b.letters()[0], "onlyonce.reason"); len(s) < 500 || len(s) > 512 || strings.ContainsRune(s, '\uFFFD') {
			b.Errorf("got a reason of %d bytes: %q", len(s), s)
		}
	})
}

// A dead-letter queue that hangs holds up a stop for one request: the message
// is given back.
func TestStopWhileTheDeadLetterQueueHangs(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.server.Fault(only("SendMessage", sqstest.Action{Delay: 24 * time.Hour}))
		b.sendMany(2)
		r := b.start(func(ctx context.Context, rec *consumer.Record) error {
			time.Sleep(time.Second)
			return poison(ctx, rec)
		}, sqssource.Options{AbandonPolls: true})
		time.Sleep(500 * time.Millisecond)
		began := b.since()
		b.wantReport(r.stop(), sqssource.Report{Received: 2, Failed: 2})
		if took := b.since() - began; took > 11*time.Second {
			b.Errorf("the stop took %v, want a handler and one request of 10s", took)
		}
		b.left[b.queue] = 2
	})
}
