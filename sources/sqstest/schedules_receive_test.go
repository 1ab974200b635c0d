package sqstest_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// polled is the end of a long poll in the background.
type polled struct {
	msgs []types.Message
	err  error
}

// poll starts a long poll and lets it wait for a second, which a long poll of
// an empty queue takes.
func (p *play) poll(url *string) <-chan polled {
	done := make(chan polled, 1)
	go func() {
		msgs, err := p.tryReceive(url)
		done <- polled{msgs, err}
	}()
	p.receive(p.queue(nil), wait(1))
	return done
}

func receiveSchedules() []schedule {
	return []schedule{{
		name: "system attributes",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url, start := p.queue(nil), time.Now().UnixMilli()
			p.send(url, "a")
			got := p.one(url).Attributes
			p.note("%s", strings.Join(slices.Sorted(maps.Keys(got)), " "))
			sent, _ := strconv.ParseInt(got["SentTimestamp"], 10, 64)
			first, _ := strconv.ParseInt(got["ApproximateFirstReceiveTimestamp"], 10, 64)
			p.note("received %s, times in order %v", got["ApproximateReceiveCount"],
				start <= sent && sent <= first && first <= time.Now().UnixMilli())
		},
		want: `
			ApproximateFirstReceiveTimestamp ApproximateReceiveCount SenderId SentTimestamp
			received 1, times in order true`,
	}, {
		name: "system attributes by name",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			got := p.one(url, func(in *sqs.ReceiveMessageInput) {
				in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{"ApproximateReceiveCount"}
			}).Attributes
			p.note("%v", got)
		},
		want: "map[ApproximateReceiveCount:1]",
	}, {
		name: "system attributes nobody asked for",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			got := p.one(url, func(in *sqs.ReceiveMessageInput) { in.MessageSystemAttributeNames = nil })
			p.note("%d", len(got.Attributes))
		},
		want: "0",
	}, {
		name: "at most as many as asked for",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			for _, body := range []string{"a", "b", "c"} {
				p.send(url, body)
			}
			p.note("%v", len(p.receive(url, atMost(2))) <= 2)
		},
		want: "true",
	}, {
		name: "long poll of an empty queue",
		page: "sqs-short-and-long-polling",
		run: func(p *play) {
			url, start := p.queue(nil), time.Now()
			p.left(url)
			p.after("left", start, time.Second)
		},
		want: `
			left: nothing
			left: after 1s`,
	}, {
		name: "long poll of the queue",
		page: "sqs-short-and-long-polling",
		run: func(p *play) {
			url, start := p.queue(attrs{"ReceiveMessageWaitTimeSeconds": "1"}), time.Now()
			p.note("%s", show(p.receive(url, wait(0))))
			p.after("poll", start, time.Second)
		},
		want: `
			nothing
			poll: after 1s`,
	}, {
		name: "long poll wakes on send",
		page: "sqs-short-and-long-polling",
		run: func(p *play) {
			url, start := p.queue(nil), time.Now()
			done := p.poll(url)
			p.send(url, "a")
			got := <-done
			p.must("poll", got.err)
			p.note("%s", show(got.msgs))
			p.after("poll", start, time.Second)
		},
		want: `
			a
			poll: after 1s`,
	}, {
		name: "long poll wakes when a message becomes visible",
		page: "sqs-visibility-timeout, sqs-short-and-long-polling",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			start := time.Now()
			first := p.one(url, hidden(1))
			again := p.one(url)
			p.after("again", start, time.Second)
			p.note("same id %v, same handle %v", *again.MessageId == *first.MessageId, *again.ReceiptHandle == *first.ReceiptHandle)
			p.note("received %s, then %s", system(first, "ApproximateReceiveCount"), system(again, "ApproximateReceiveCount"))
			p.note("first received at the same time %v",
				system(first, "ApproximateFirstReceiveTimestamp") == system(again, "ApproximateFirstReceiveTimestamp"))
		},
		want: `
			again: after 1s
			same id true, same handle false
			received 1, then 2
			first received at the same time true`,
	}, {
		name: "long poll wakes when a message is given back",
		page: "API ChangeMessageVisibility, sqs-short-and-long-polling",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			start := time.Now()
			done := p.poll(url)
			p.must("change", p.change(url, m, 0))
			got := <-done
			p.must("poll", got.err)
			p.note("%s", show(got.msgs))
			p.after("poll", start, time.Second)
		},
		want: `
			a
			poll: after 1s`,
	}, {
		name: "group of a standard queue",
		page: "sqs-fair-queues, API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			tenant := func(in *sqs.SendMessageInput) { in.MessageGroupId = in.MessageBody }
			p.send(url, "t", tenant)
			p.send(url, "t", tenant)
			got := p.collect(url, 2)
			p.note("%s", show(got))
			p.note("group %s", system(got[0], "MessageGroupId"))
		},
		want: `
			t t
			group t`,
	}}
}

func visibilitySchedules() []schedule {
	return []schedule{{
		name: "received messages are hidden",
		page: "sqs-visibility-timeout",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			p.one(url)
			p.left(url)
		},
		want: "left: nothing",
	}, {
		name: "visibility timeout of the queue",
		page: "sqs-visibility-timeout",
		run: func(p *play) {
			url := p.queue(attrs{"VisibilityTimeout": "1"})
			p.send(url, "a")
			start := time.Now()
			p.one(url)
			p.note("%s", *p.one(url).Body)
			p.after("again", start, time.Second)
		},
		want: `
			a
			again: after 1s`,
	}, {
		name: "visibility extended",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			p.must("change", p.change(url, p.one(url, hidden(2)), 30))
			p.note("left: %s", show(p.receive(url, wait(3))))
		},
		want: "left: nothing",
	}, {
		name: "visibility shortened",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			p.left(url)
			start := time.Now()
			p.must("change", p.change(url, m, 1))
			p.note("%s", *p.one(url).Body)
			p.after("again", start, time.Second)
		},
		want: `
			left: nothing
			a
			again: after 1s`,
	}, {
		name: "visibility ended",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			start := time.Now()
			p.must("change", p.change(url, p.one(url), 0))
			p.note("received %s", system(p.one(url), "ApproximateReceiveCount"))
			p.after("again", start, 0)
		},
		want: `
			received 2
			again: after 0s`,
	}, {
		name: "changed visibility is forgotten at the next receive",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(attrs{"VisibilityTimeout": "1"})
			p.send(url, "a")
			p.must("change", p.change(url, p.one(url, hidden(30)), 0))
			start := time.Now()
			p.one(url)
			p.one(url)
			p.after("again", start, time.Second)
		},
		want: "again: after 1s",
	}, {
		name: "visibility out of range",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			p.note("43201: %s", p.refused(p.change(url, m, 43201)))
			p.note("-1: %s", p.refused(p.change(url, m, -1)))
			p.left(url)
		},
		want: `
			43201: refused
			-1: refused
			left: nothing`,
		knownWrong: wrongs{
			"ministack": {"takes any number", "43201: ok"},
			"elasticmq": {"takes any number", "43201: ok"},
		},
	}, {
		name: "visibility past twelve hours in total",
		page: "API ChangeMessageVisibility",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			p.receive(p.queue(nil), wait(1))
			p.note("%s", p.refused(p.change(url, m, 43200)))
		},
		want: "refused",
		knownWrong: wrongs{
			"ministack": {"does not count the total", "ok"},
			"elasticmq": {"does not count the total", "ok"},
		},
	}, {
		name: "deleted messages are gone",
		page: "API DeleteMessage",
		run: func(p *play) {
			url := p.queue(attrs{"VisibilityTimeout": "1"})
			p.send(url, "a")
			p.must("delete", p.delete(url, p.one(url, hidden(30))))
			p.left(url)
		},
		want: "left: nothing",
	}, {
		name: "deleted twice",
		page: "API DeleteMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			p.note("delete: %s", p.code(p.delete(url, m)))
			p.note("delete: %s", p.code(p.delete(url, m)))
		},
		want: `
			delete: ok
			delete: ok`,
		knownWrong: wrongs{
			"ministack": {"the handle is invalid then", "delete: ReceiptHandleIsInvalid"},
			"elasticmq": {"the handle is invalid then", "delete: ReceiptHandleIsInvalid"},
		},
	}, {
		// Whether the message goes is not promised.
		name: "deleted with a superseded handle",
		page: "API DeleteMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			old := p.one(url, hidden(1))
			latest := p.one(url)
			p.note("old: %s", p.code(p.delete(url, old)))
			p.note("latest: %s", p.code(p.delete(url, latest)))
		},
		want: `
			old: ok
			latest: ok`,
		knownWrong: wrongs{
			"ministack": {"the handle is invalid then", "old: ReceiptHandleIsInvalid"},
			"elasticmq": {"the handle is invalid then", "old: ReceiptHandleIsInvalid"},
		},
	}, {
		name: "deleted after the visibility timeout",
		page: "knowledge center sqs-receipt-handle-error, API DeleteMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			m := p.one(url)
			p.must("change", p.change(url, m, 0))
			p.note("delete: %s", p.code(p.delete(url, m)))
		},
		want: "delete: ok",
	}}
}
