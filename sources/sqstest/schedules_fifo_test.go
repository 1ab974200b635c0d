package sqstest_test

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// byGroup lists bodies such as "a1" by their group: the order of messages of
// different groups means nothing.
func byGroup(msgs []types.Message) string {
	msgs = slices.Clone(msgs)
	slices.SortStableFunc(msgs, func(a, b types.Message) int { return strings.Compare((*a.Body)[:1], (*b.Body)[:1]) })
	return show(msgs)
}

func fifoSchedules() []schedule {
	return []schedule{{
		name: "group in order",
		page: "FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			for range 3 {
				m := p.one(url, atMost(1))
				p.note("%s", *m.Body)
				p.must("delete", p.delete(url, m))
			}
			p.left(url)
		},
		want: `
			a1
			a2
			a3
			left: nothing`,
	}, {
		name: "group in order in one receive",
		page: "FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			p.note("%s", show(p.receive(url)))
		},
		want: "a1 a2 a3",
	}, {
		name: "groups in order each",
		page: "FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "b1", "a2", "c1", "b2", "a3")
			p.note("%s", byGroup(append(append(p.receive(url), p.receive(url, wait(1))...), p.receive(url, wait(1))...)))
		},
		want: "a1 a2 a3 b1 b2 c1",
	}, {
		name: "one message in flight blocks its group only",
		page: "API ReceiveMessage, FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2")
			p.note("%s", *p.one(url, atMost(1)).Body)
			p.sendGroup(url, "b1", "a3")
			p.note("%s", *p.one(url).Body)
			p.left(url)
		},
		want: `
			a1
			b1
			left: nothing`,
	}, {
		name: "group goes on when the block is deleted",
		page: "FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2")
			m := p.one(url, atMost(1))
			start := time.Now()
			done := p.poll(url)
			p.must("delete", p.delete(url, m))
			got := <-done
			p.must("poll", got.err)
			p.note("%s", show(got.msgs))
			p.after("poll", start, time.Second)
		},
		want: `
			a2
			poll: after 1s`,
	}, {
		name: "group waits for all its messages in flight",
		page: "FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			msgs := p.receive(url, atMost(2))
			p.note("%s", show(msgs))
			p.must("delete", p.delete(url, msgs[0]))
			p.left(url)
			p.must("delete", p.delete(url, msgs[1]))
			p.note("%s", show(p.receive(url)))
		},
		want: `
			a1 a2
			left: nothing
			a3`,
	}, {
		name: "group starts again at its first after the visibility timeout",
		page: "FIFO-queues-understanding-logic, sqs-visibility-timeout",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			start := time.Now()
			p.note("%s", show(p.receive(url, atMost(1), hidden(1)))) // one: two would not be visible at one instant
			again := p.receive(url)
			p.after("again", start, time.Second)
			p.note("%s", show(again))
		},
		want: `
			a1
			again: after 1s
			a1 a2 a3`,
	}, {
		name: "group starts again at a message that is given back",
		page: "API ChangeMessageVisibility, FIFO-queues-understanding-logic",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2")
			p.must("change", p.change(url, p.one(url, atMost(1)), 0))
			p.note("%s", show(p.receive(url)))
		},
		want: "a1 a2",
	}, {
		name: "message that is given back waits for a later one in flight",
		page: "FIFO-queues-understanding-logic, knowledge center sqs-fifo-messages-not-returned",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			msgs := p.receive(url, atMost(2))
			p.note("%s", show(msgs))
			p.must("change", p.change(url, msgs[0], 0))
			p.left(url)
			p.must("delete", p.delete(url, msgs[1]))
			p.left(url)
		},
		want: `
			a1 a2
			left: nothing
			left: a1 a3`,
		knownWrong: wrongs{
			"elasticmq": {"looks at the first message of the group only", "left: a1"},
		},
	}, {
		name: "later message deleted first",
		page: "FIFO-queues-understanding-logic, sqs-visibility-timeout",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2", "a3")
			msgs := p.receive(url, atMost(2))
			if len(msgs) == 2 {
				p.must("delete", p.delete(url, msgs[1]))
				p.must("change", p.change(url, msgs[0], 0))
			}
			p.note("%s", show(p.receive(url)))
		},
		want: "a1 a3",
	}, {
		name: "deleted after the visibility timeout, FIFO",
		page: "API ReceiveMessage (ReceiveRequestAttemptId), knowledge center sqs-receipt-handle-error",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1")
			m := p.one(url)
			p.must("change", p.change(url, m, 0))
			p.note("delete: %s", p.code(p.delete(url, m)))
			p.left(url)
		},
		want: `
			delete: InvalidParameterValue
			left: a1`,
		knownWrong: wrongs{
			"ministack": {"deletes the message", "delete: ok"},
			"elasticmq": {"deletes the message", "delete: ok"},
		},
	}, {
		name: "deleted with a superseded handle, FIFO",
		page: "API ReceiveMessage (ReceiveRequestAttemptId), knowledge center sqs-receipt-handle-error",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1")
			m := p.one(url)
			p.must("change", p.change(url, m, 0))
			latest := p.one(url)
			p.note("old: %s", p.refused(p.delete(url, m)))
			p.note("latest: %s", p.code(p.delete(url, latest)))
		},
		want: `
			old: refused
			latest: ok`,
	}, {
		name: "sequence numbers grow",
		page: "API SendMessage, API ReceiveMessage",
		run: func(p *play) {
			url := p.fifo(nil)
			first, second := *p.send(url, "a1", group("a")).SequenceNumber, *p.send(url, "a2", group("a")).SequenceNumber
			p.note("grows %v", len(first) < len(second) || len(first) == len(second) && first < second)
			got := p.one(url, atMost(1))
			p.note("same %v, group %s, deduplication %s", system(got, "SequenceNumber") == first,
				system(got, "MessageGroupId"), system(got, "MessageDeduplicationId"))
		},
		want: `
			grows true
			same true, group a, deduplication a1`,
	}, {
		name: "message without a group",
		page: "API SendMessage",
		run: func(p *play) {
			_, err := p.trySend(p.fifo(attrs{"ContentBasedDeduplication": "true"}), "a")
			p.note("%s", p.code(err))
		},
		want: "MissingParameter",
	}, {
		name: "receive tried again",
		page: "using-receiverequestattemptid-request-parameter",
		run: func(p *play) {
			url := p.fifo(nil)
			p.sendGroup(url, "a1", "a2")
			attempt := func(in *sqs.ReceiveMessageInput) {
				id := "attempt"
				in.ReceiveRequestAttemptId = &id
			}
			first, again := p.receive(url, attempt), p.receive(url, attempt, wait(1))
			p.note("%s", show(again))
			p.note("same handles %v", len(again) == len(first) && *again[0].ReceiptHandle == *first[0].ReceiptHandle)
		},
		want: `
			a1 a2
			same handles true`,
		knownWrong: wrongs{
			"ministack": {"does not know the attempt", "nothing"},
			"elasticmq": {"gives other handles", "same handles false"},
		},
	}}
}

func dedupSchedules() []schedule {
	content := attrs{"ContentBasedDeduplication": "true"}
	in := func(g string, id ...string) func(*sqs.SendMessageInput) {
		return func(in *sqs.SendMessageInput) {
			in.MessageGroupId = &g
			if len(id) > 0 {
				in.MessageDeduplicationId = &id[0]
			}
		}
	}
	return []schedule{{
		name: "same id is one message",
		page: "using-messagededuplicationid-property",
		run: func(p *play) {
			url := p.fifo(nil)
			p.send(url, "a1", in("a", "id"))
			p.send(url, "a2", in("a", "id"))
			p.note("%s", show(p.receive(url)))
		},
		want: "a1",
	}, {
		name: "same id in two groups is one message",
		page: "API SetQueueAttributes (DeduplicationScope), API SendMessage",
		run: func(p *play) {
			url := p.fifo(nil)
			p.send(url, "a1", in("a", "id"))
			p.send(url, "b1", in("b", "id"))
			p.note("%s", byGroup(append(p.receive(url), p.receive(url, wait(1))...)))
		},
		want: "a1",
	}, {
		name: "same id in two groups with ids of groups",
		page: "API SetQueueAttributes (DeduplicationScope)",
		run: func(p *play) {
			url := p.fifo(attrs{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
			p.send(url, "a1", in("a", "id"))
			p.send(url, "b1", in("b", "id"))
			p.note("%s", byGroup(append(p.receive(url), p.receive(url, wait(1))...)))
		},
		want: "a1 b1",
		knownWrong: wrongs{
			"elasticmq": {"has one scope only", "a1"},
		},
	}, {
		name: "deduplication outlives the message",
		page: "API SendMessage",
		run: func(p *play) {
			url := p.fifo(nil)
			p.send(url, "a1", in("a", "id"))
			p.must("delete", p.delete(url, p.one(url)))
			p.send(url, "a1", in("a", "id"))
			p.left(url)
		},
		want: "left: nothing",
	}, {
		name: "same body is one message",
		page: "API SendMessage (MessageDeduplicationId)",
		run: func(p *play) {
			url := p.fifo(content)
			p.send(url, "a1", in("a"))
			p.send(url, "a1", in("a"), named("attribute"))
			p.send(url, "a2", in("a"))
			p.note("%s", show(p.receive(url)))
		},
		want: "a1 a2",
	}, {
		name: "id goes before the body",
		page: "API SendMessage (MessageDeduplicationId)",
		run: func(p *play) {
			url := p.fifo(content)
			p.send(url, "a1", in("a", "one"))
			p.send(url, "a1", in("a", "two"))
			p.note("%s", show(p.receive(url)))
		},
		want: "a1 a1",
	}, {
		name: "id is the SHA-256 of the body",
		page: "API SendMessage (MessageDeduplicationId)",
		run: func(p *play) {
			url := p.fifo(content)
			p.send(url, "a1", in("a"))
			p.note("%s", system(p.one(url), "MessageDeduplicationId"))
		},
		want: "f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114",
	}, {
		name: "no id and no deduplication by content",
		page: "API SendMessage (MessageDeduplicationId)",
		run: func(p *play) {
			_, err := p.trySend(p.fifo(nil), "a1", in("a"))
			p.note("%s", p.refused(err))
		},
		want: "refused",
	}}
}
