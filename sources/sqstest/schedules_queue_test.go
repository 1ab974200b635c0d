package sqstest_test

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

func queueSchedules() []schedule {
	return []schedule{{
		name: "create again",
		page: "API CreateQueue",
		run: func(p *play) {
			a := attrs{"VisibilityTimeout": "7"}
			url := p.queue(a)
			name := (*url)[strings.LastIndexByte(*url, '/')+1:]
			again, err := p.tryCreate(name, a)
			p.must("same", err)
			p.note("same: %v", *again == *url)
			_, err = p.tryCreate(name, attrs{"VisibilityTimeout": "8"})
			p.note("other: %s", p.code(err))
		},
		want: `
			same: true
			other: QueueNameExists`,
	}, {
		name: "names of queues",
		page: "API CreateQueue",
		run: func(p *play) {
			for name, a := range map[string]attrs{
				strings.Repeat("n", 81): nil, "a b": nil, "fifo.fifo": nil, "fifo": {"FifoQueue": "true"},
			} {
				_, err := p.tryCreate(name, a)
				if got := p.refused(err); got != "refused" {
					p.note("%.8s: %s", name, got)
				}
			}
			p.note("all others refused")
		},
		want: "all others refused",
		knownWrong: wrongs{
			"ministack": {"takes almost any name", "a b: ok"},
		},
	}, {
		name: "attributes are kept",
		page: "API CreateQueue, API GetQueueAttributes",
		run: func(p *play) {
			dlq := p.fifo(nil)
			a := p.redrivesTo(dlq, 3)
			a["ContentBasedDeduplication"], a["VisibilityTimeout"] = "true", "7"
			got := p.attributes(p.fifo(a))
			p.note("fifo %s, content based %s, visibility %s", got["FifoQueue"], got["ContentBasedDeduplication"], got["VisibilityTimeout"])
			p.note("retention %s, delay %s, wait %s", got["MessageRetentionPeriod"], got["DelaySeconds"], got["ReceiveMessageWaitTimeSeconds"])
			p.note("redrives to %v", strings.Contains(got["RedrivePolicy"], p.attributes(dlq)["QueueArn"]))
		},
		want: `
			fifo true, content based true, visibility 7
			retention 345600, delay 0, wait 0
			redrives to true`,
		knownWrong: wrongs{
			"elasticmq": {"has no retention", "retention , delay 0, wait 0"},
		},
	}, {
		name: "attributes are changed",
		page: "API SetQueueAttributes",
		run: func(p *play) {
			url := p.queue(nil)
			_, err := p.client.SetQueueAttributes(p.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attrs{"VisibilityTimeout": "7"}})
			p.must("set", err)
			p.note("visibility %s", p.attributes(url)["VisibilityTimeout"])
		},
		want: "visibility 7",
	}, {
		name: "counts",
		page: "API GetQueueAttributes",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			p.send(url, "b")
			p.send(url, "c", delayed(900))
			p.one(url, atMost(1))
			got := p.attributes(url)
			p.note("visible %s, in flight %s, delayed %s", got["ApproximateNumberOfMessages"],
				got["ApproximateNumberOfMessagesNotVisible"], got["ApproximateNumberOfMessagesDelayed"])
		},
		want: "visible 1, in flight 1, delayed 1",
	}, {
		name: "name just deleted",
		page: "API CreateQueue, API DeleteQueue",
		run: func(p *play) {
			url := p.queue(nil)
			name := (*url)[strings.LastIndexByte(*url, '/')+1:]
			_, err := p.client.DeleteQueue(p.Context(), &sqs.DeleteQueueInput{QueueUrl: url})
			p.must("delete", err)
			_, err = p.tryCreate(name, nil)
			p.note("create: %s", p.code(err))
		},
		want: "create: QueueDeletedRecently",
		knownWrong: wrongs{
			"ministack": {"takes the name at once", "create: ok"},
			"elasticmq": {"takes the name at once", "create: ok"},
		},
	}, {
		name: "purged twice",
		page: "API PurgeQueue",
		run: func(p *play) {
			url := p.queue(nil)
			for range 2 {
				_, err := p.client.PurgeQueue(p.Context(), &sqs.PurgeQueueInput{QueueUrl: url})
				p.note("purge: %s", p.code(err))
			}
		},
		want: `
			purge: ok
			purge: PurgeQueueInProgress`,
		knownWrong: wrongs{
			"ministack": {"purges twice", "purge: ok"},
			"elasticmq": {"purges twice", "purge: ok"},
		},
	}}
}

func errorSchedules() []schedule {
	missing := aws.String("http://sqstest.invalid/000000000000/missing")
	return []schedule{{
		name: "missing queue",
		page: "API ReceiveMessage, API SendMessage, API GetQueueUrl",
		run: func(p *play) {
			_, err := p.tryReceive(missing)
			p.note("receive: %s", p.code(err))
			_, err = p.trySend(missing, "a")
			p.note("send: %s", p.code(err))
			_, err = p.client.GetQueueUrl(p.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("missing")})
			p.note("url: %s", p.code(err))
		},
		want: `
			receive: QueueDoesNotExist
			send: QueueDoesNotExist
			url: QueueDoesNotExist`,
	}, {
		// What ErrorCode says is the code of the older protocol.
		name: "error code of a missing queue",
		page: "sqs-json-faqs, the awsQueryError of QueueDoesNotExist in the model of the API",
		run: func(p *play) {
			_, err := p.tryReceive(missing)
			var api smithy.APIError
			if errors.As(err, &api) {
				p.note("%s", api.ErrorCode())
			}
		},
		want: "AWS.SimpleQueueService.NonExistentQueue",
		knownWrong: wrongs{
			"elasticmq": {"sends no header x-amzn-query-error", "com.amazonaws.sqs#QueueDoesNotExist"},
		},
	}, {
		name: "attribute that does not exist",
		page: "API SetQueueAttributes",
		run: func(p *play) {
			_, err := p.client.SetQueueAttributes(p.Context(), &sqs.SetQueueAttributesInput{
				QueueUrl: p.queue(nil), Attributes: attrs{"Colour": "red"},
			})
			p.note("%s", p.code(err))
		},
		want: "InvalidAttributeName",
		knownWrong: wrongs{
			"ministack": {"takes any attribute", "ok"},
		},
	}, {
		name: "attribute out of range",
		page: "API SetQueueAttributes",
		run: func(p *play) {
			_, err := p.client.SetQueueAttributes(p.Context(), &sqs.SetQueueAttributesInput{
				QueueUrl: p.queue(nil), Attributes: attrs{"VisibilityTimeout": "43201"},
			})
			p.note("%s", p.code(err))
		},
		want: "InvalidAttributeValue",
		knownWrong: wrongs{
			"elasticmq": {"takes any number", "ok"},
		},
	}, {
		name: "more than ten messages wanted",
		page: "API ReceiveMessage",
		run: func(p *play) {
			_, err := p.tryReceive(p.queue(nil), atMost(11))
			p.note("%s", p.refused(err))
		},
		want: "refused",
	}, {
		name: "receipt handle that is none",
		page: "API DeleteMessage, API ChangeMessageVisibility",
		run: func(p *play) {
			url, m := p.queue(nil), types.Message{ReceiptHandle: aws.String("garbage")}
			p.note("delete: %s", p.code(p.delete(url, m)))
			p.note("change: %s", p.code(p.change(url, m, 1)))
		},
		want: `
			delete: ReceiptHandleIsInvalid
			change: ReceiptHandleIsInvalid`,
	}, {
		name: "receipt handle of another queue",
		page: "API DeleteMessage, knowledge center sqs-receipt-handle-error",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			p.note("delete: %s", p.code(p.delete(p.queue(nil), p.one(url))))
		},
		want: "delete: ReceiptHandleIsInvalid",
	}}
}
