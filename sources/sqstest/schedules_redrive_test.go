package sqstest_test

import (
	"crypto/rand"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// spend receives a message and gives it back, times times.
func (p *play) spend(url *string, times int) {
	for range times {
		p.must("change", p.change(url, p.one(url, atMost(1)), 0))
	}
}

func redriveSchedules() []schedule {
	return []schedule{{
		name: "dead letter",
		page: "sqs-dead-letter-queues",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 2))
			sent := p.send(url, "a", attributed)
			p.spend(url, 2)
			p.left(url)
			m := p.one(dlq, asking("All"))
			p.note("%s, same id %v, %d attributes", *m.Body, *m.MessageId == *sent.MessageId, len(m.MessageAttributes))
		},
		want: `
			left: nothing
			a, same id true, 3 attributes`,
	}, {
		name: "not yet a dead letter",
		page: "sqs-dead-letter-queues",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 2))
			p.send(url, "a")
			p.spend(url, 1)
			p.note("received %s", system(p.one(url), "ApproximateReceiveCount"))
			p.left(dlq)
		},
		want: `
			received 2
			left: nothing`,
	}, {
		name: "dead letter after the visibility timeout",
		page: "sqs-dead-letter-queues, sqs-visibility-timeout",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 1))
			p.send(url, "a")
			p.one(url, hidden(1))
			p.note("left: %s", show(p.receive(url, wait(2))))
			p.note("%s", show(p.receive(dlq)))
		},
		want: `
			left: nothing
			a`,
	}, {
		name: "dead letter says where it comes from",
		page: "API MessageSystemAttributeName",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 1))
			p.send(url, "a")
			p.spend(url, 1)
			p.left(url)
			p.note("%v", system(p.one(dlq), "DeadLetterQueueSourceArn") == p.attributes(url)["QueueArn"])
		},
		want: `
			left: nothing
			true`,
	}, {
		name: "receives are counted across queues",
		page: "API ReceiveMessage (ApproximateReceiveCount)",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 2))
			p.send(url, "a")
			p.spend(url, 2)
			p.left(url)
			p.note("received %s", system(p.one(dlq), "ApproximateReceiveCount"))
		},
		want: `
			left: nothing
			received 3`,
	}, {
		name: "dead letter keeps the time it was sent",
		page: "setting-up-dead-letter-queue-retention",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 1))
			p.send(url, "a")
			m := p.one(url, hidden(1))
			p.note("left: %s", show(p.receive(url, wait(2))))
			p.note("same time %v", system(m, "SentTimestamp") == system(p.one(dlq), "SentTimestamp"))
		},
		want: `
			left: nothing
			same time true`,
	}, {
		name: "dead letter of a FIFO queue",
		page: "sqs-dead-letter-queues",
		run: func(p *play) {
			dlq := p.fifo(nil)
			url := p.fifo(p.redrivesTo(dlq, 1))
			p.sendGroup(url, "a1", "a2")
			p.spend(url, 1)
			p.note("%s", *p.one(url, atMost(1)).Body)
			m := p.one(dlq)
			p.note("%s of group %s", *m.Body, system(m, "MessageGroupId"))
		},
		want: `
			a2
			a1 of group a`,
	}, {
		name: "dead letter of a FIFO queue starts anew",
		page: "setting-up-dead-letter-queue-retention",
		run: func(p *play) {
			dlq := p.fifo(nil)
			url := p.fifo(p.redrivesTo(dlq, 1))
			p.sendGroup(url, "a1")
			m := p.one(url, hidden(1))
			p.note("left: %s", show(p.receive(url, wait(2))))
			dead := p.one(dlq)
			p.note("same id %v, same time %v", *dead.MessageId == *m.MessageId,
				system(m, "SentTimestamp") == system(dead, "SentTimestamp"))
		},
		want: `
			left: nothing
			same id true, same time false`,
		knownWrong: wrongs{
			"ministack": {"keeps the time", "same id true, same time true"},
			"elasticmq": {"keeps the time", "same id true, same time true"},
		},
	}, {
		name: "deduplication id of a dead letter",
		page: "sqs-dead-letter-queues",
		run: func(p *play) {
			dlq := p.fifo(nil)
			url := p.fifo(p.redrivesTo(dlq, 1))
			sent := p.send(url, "a1", group("a"))
			p.spend(url, 1)
			p.left(url)
			p.note("id of the message: %v", system(p.one(dlq), "MessageDeduplicationId") == *sent.MessageId)
		},
		want: `
			left: nothing
			id of the message: true`,
		knownWrong: wrongs{
			"ministack": {"keeps the id", "id of the message: false"},
		},
	}, {
		name: "dead-letter queue of the other type",
		page: "sqs-dead-letter-queues, API CreateQueue",
		run: func(p *play) {
			a := p.redrivesTo(p.queue(nil), 1)
			a["FifoQueue"] = "true"
			_, err := p.tryCreate("q-"+rand.Text()+".fifo", a)
			p.note("%s", p.refused(err))
		},
		want: "refused",
		knownWrong: wrongs{
			"ministack": {"takes any queue", "ok"},
			"elasticmq": {"takes any queue", "ok"},
		},
	}, {
		name: "too many receives",
		page: "sqs-dead-letter-queues, API SetQueueAttributes",
		run: func(p *play) {
			_, err := p.client.SetQueueAttributes(p.Context(), &sqs.SetQueueAttributesInput{
				QueueUrl: p.queue(nil), Attributes: p.redrivesTo(p.queue(nil), 1001),
			})
			p.note("%s", p.refused(err))
		},
		want: "refused",
	}, {
		name: "queues of a dead-letter queue",
		page: "API ListDeadLetterSourceQueues",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 1))
			out, err := p.client.ListDeadLetterSourceQueues(p.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dlq})
			p.must("list", err)
			p.note("%v", strings.Join(out.QueueUrls, " ") == *url)
		},
		want: "true",
		knownWrong: wrongs{
			"ministack": {"does not know the request", "list: InvalidAction"},
		},
	}, {
		name: "dead letters moved back",
		page: "API StartMessageMoveTask, sqs-configure-dead-letter-queue-redrive",
		run: func(p *play) {
			dlq := p.queue(nil)
			url := p.queue(p.redrivesTo(dlq, 1))
			sent := p.send(url, "a")
			p.spend(url, 1)
			p.left(url)
			_, err := p.client.StartMessageMoveTask(p.Context(), &sqs.StartMessageMoveTaskInput{
				SourceArn: aws.String(p.attributes(dlq)["QueueArn"]),
			})
			p.must("move", err)
			m := p.one(url)
			p.note("%s, received %s, same id %v", *m.Body, system(m, "ApproximateReceiveCount"), *m.MessageId == *sent.MessageId)
			p.left(dlq)
		},
		want: `
			left: nothing
			a, received 1, same id false
			left: nothing`,
		knownWrong: wrongs{
			"ministack": {"does not know the request", "move: InvalidAction"},
			"elasticmq": {"keeps the id", "a, received 1, same id true"},
		},
	}}
}
