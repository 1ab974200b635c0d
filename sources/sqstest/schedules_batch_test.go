package sqstest_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deleteBatch deletes messages under the entry ids given, and returns the ids
// that succeeded.
func (p *play) deleteBatch(url *string, msgs []types.Message, ids ...string) (string, []types.BatchResultErrorEntry, error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{}}
	for i, id := range ids {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: msgs[i].ReceiptHandle})
	}
	out, err := p.client.DeleteMessageBatch(p.Context(), in)
	if err != nil {
		return "", nil, err
	}
	var done []string
	for _, e := range out.Successful {
		done = append(done, *e.Id)
	}
	slices.Sort(done)
	return strings.Join(done, " "), out.Failed, nil
}

// sendBatch sends messages under the entry ids given, with the ids as bodies.
func (p *play) sendBatch(url *string, ids ...string) error {
	return sendBatch(len(ids), func(i int) (string, string) { return ids[i], ids[i] })(p.Context(), p.client, url)
}

func garbage(n int) []types.Message {
	return slices.Repeat([]types.Message{{ReceiptHandle: aws.String("garbage")}}, n)
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("id", i))
	}
	return ids
}

func batchSchedules() []schedule {
	return []schedule{{
		name: "delete batch fails in part",
		page: "API DeleteMessageBatch, API BatchResultErrorEntry",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			p.send(url, "b")
			msgs := p.collect(url, 2)
			msgs[1].ReceiptHandle = aws.String("garbage")
			done, failures, err := p.deleteBatch(url, msgs, "first", "second")
			p.must("delete", err)
			p.note("successful: %s", done)
			p.note("failed: %s", failed(failures))
			p.note("fault of the sender: %v", len(failures) == 1 && failures[0].SenderFault)
		},
		want: `
			successful: first
			failed: second=ReceiptHandleIsInvalid
			fault of the sender: true`,
	}, {
		name: "change of visibility batch fails in part",
		page: "API ChangeMessageVisibilityBatch, API BatchResultErrorEntry",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a")
			out, err := p.client.ChangeMessageVisibilityBatch(p.Context(), &sqs.ChangeMessageVisibilityBatchInput{
				QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
					{Id: aws.String("first"), ReceiptHandle: p.one(url).ReceiptHandle, VisibilityTimeout: 0},
					{Id: aws.String("second"), ReceiptHandle: aws.String("garbage"), VisibilityTimeout: 0},
				},
			})
			p.must("change", err)
			p.note("%d successful", len(out.Successful))
			p.note("failed: %s", failed(out.Failed))
			p.left(url)
		},
		want: `
			1 successful
			failed: second=ReceiptHandleIsInvalid
			left: a`,
	}, {
		name: "send batch fails in part",
		page: "API SendMessageBatch",
		run: func(p *play) {
			url := p.queue(nil)
			out, err := p.client.SendMessageBatch(p.Context(), &sqs.SendMessageBatchInput{
				QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
					{Id: aws.String("first"), MessageBody: aws.String("a")},
					{Id: aws.String("second"), MessageBody: aws.String("b"), DelaySeconds: 901},
				},
			})
			p.must("send", err)
			p.note("%d successful, %d failed", len(out.Successful), len(out.Failed))
			p.left(url)
		},
		want: `
			1 successful, 1 failed
			left: a`,
		knownWrong: wrongs{
			"ministack": {"takes any delay", "2 successful, 0 failed"},
		},
	}, {
		name: "empty batch",
		page: "API SendMessageBatch, API DeleteMessageBatch, API ChangeMessageVisibilityBatch",
		run: func(p *play) {
			url := p.queue(nil)
			p.note("send: %s", p.code(p.sendBatch(url)))
			_, _, err := p.deleteBatch(url, nil)
			p.note("delete: %s", p.code(err))
			_, err = p.client.ChangeMessageVisibilityBatch(p.Context(), &sqs.ChangeMessageVisibilityBatchInput{
				QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{},
			})
			p.note("change: %s", p.code(err))
		},
		want: `
			send: EmptyBatchRequest
			delete: EmptyBatchRequest
			change: EmptyBatchRequest`,
		knownWrong: wrongs{
			"elasticmq": {"accepts an empty batch", "send: ok"},
		},
	}, {
		name: "batch of eleven",
		page: "API SendMessageBatch, API DeleteMessageBatch",
		run: func(p *play) {
			url := p.queue(nil)
			p.note("send: %s", p.code(p.sendBatch(url, numbered(11)...)))
			_, _, err := p.deleteBatch(url, garbage(11), numbered(11)...)
			p.note("delete: %s", p.code(err))
			p.left(url)
		},
		want: `
			send: TooManyEntriesInBatchRequest
			delete: TooManyEntriesInBatchRequest
			left: nothing`,
	}, {
		name: "batch with an id twice",
		page: "API SendMessageBatch, API DeleteMessageBatch",
		run: func(p *play) {
			url := p.queue(nil)
			p.note("send: %s", p.code(p.sendBatch(url, "id", "id")))
			_, _, err := p.deleteBatch(url, garbage(2), "id", "id")
			p.note("delete: %s", p.code(err))
			p.left(url)
		},
		want: `
			send: BatchEntryIdsNotDistinct
			delete: BatchEntryIdsNotDistinct
			left: nothing`,
	}, {
		name: "batch with an id that is none",
		page: "API SendMessageBatch, API SendMessageBatchRequestEntry",
		run: func(p *play) {
			url := p.queue(nil)
			p.note("a.b: %s", p.code(p.sendBatch(url, "a.b")))
			p.note("81 letters: %s", p.code(p.sendBatch(url, strings.Repeat("i", 81))))
		},
		want: `
			a.b: InvalidBatchEntryId
			81 letters: InvalidBatchEntryId`,
		knownWrong: wrongs{
			"elasticmq": {"takes any id", "a.b: ok"},
		},
	}, {
		name: "longest batch",
		page: "quotas-messages, API SendMessageBatch",
		run: func(p *play) {
			url := p.queue(nil)
			half := strings.Repeat("x", 1<<19)
			send := func(last string) error {
				return sendBatch(2, func(i int) (string, string) { return fmt.Sprint(i), []string{half, last}[i] })(p.Context(), p.client, url)
			}
			p.note("1 MiB: %s", p.code(send(half)))
			p.note("one byte more: %s", p.code(send(half+"x")))
		},
		want: `
			1 MiB: ok
			one byte more: BatchRequestTooLong`,
		knownWrong: wrongs{
			"elasticmq": {"refuses with another code", "one byte more: InvalidAttributeValue"},
		},
	}}
}
