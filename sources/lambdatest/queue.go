package lambdatest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// A queue is what a mapping knows of its queue.
type queue struct {
	arn string

	// visibility is asked for with each receive; 0 leaves it to the queue.
	visibility time.Duration
}

// describe reads the queue's name and visibility timeout, and applies the
// checks of CreateEventSourceMapping.
func (m *Mapping) describe(ctx context.Context) (queue, error) {
	out, err := m.opts.Queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(m.opts.QueueURL),
		AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameQueueArn,
			types.QueueAttributeNameVisibilityTimeout,
		},
	})
	if err != nil {
		return queue{}, fmt.Errorf("lambdatest: describe queue %s: %w", m.opts.QueueURL, err)
	}
	q := queue{arn: out.Attributes[string(types.QueueAttributeNameQueueArn)]}
	if q.arn == "" {
		return queue{}, fmt.Errorf("lambdatest: describe queue %s: no QueueArn", m.opts.QueueURL)
	}
	stated := out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)]
	seconds, err := strconv.Atoi(stated)
	if err != nil {
		return queue{}, fmt.Errorf("lambdatest: describe queue %s: VisibilityTimeout %q: %w", m.opts.QueueURL, stated, err)
	}
	visible := time.Duration(seconds) * time.Second
	if visible < m.opts.Timeout && !m.opts.ShortVisibility {
		return queue{}, fmt.Errorf("lambdatest: queue %s: visibility timeout %v is shorter than the function's timeout %v",
			m.opts.QueueURL, visible, m.opts.Timeout)
	}
	// "Using Lambda with Amazon SQS": a window that would use up the visibility
	// timeout makes the mapping ask for more of it.
	if w := m.opts.BatchingWindow; w > 0 && w+m.opts.Timeout > visible && !m.opts.ShortVisibility {
		q.visibility = w + m.opts.Timeout + 30*time.Second
	}
	return q, nil
}

// receive asks for up to limit messages and waits for the first of them.
func (w *worker) receive(ctx context.Context, limit int, wait time.Duration) ([]types.Message, error) {
	out, err := w.opts.Queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    aws.String(w.opts.QueueURL),
		MaxNumberOfMessages:         int32(limit),
		WaitTimeSeconds:             int32(wait / time.Second),
		VisibilityTimeout:           int32((w.queue.visibility + time.Second - 1) / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		return nil, err
	}
	w.polled.Add(int64(len(out.Messages)))
	return out.Messages, nil
}

// remove deletes messages, 10 per call, and returns those that are still there.
// Entries are numbered, not named after their messages: a batch may hold one
// message twice, and SQS refuses a call with two equal entry ids.
func (w *worker) remove(ctx context.Context, messages []types.Message) (left []types.Message) {
	for len(messages) > 0 {
		n := min(10, len(messages))
		left = append(left, w.removeSome(ctx, messages[:n])...)
		messages = messages[n:]
	}
	return left
}

const deleteTries = 4

func (w *worker) removeSome(ctx context.Context, messages []types.Message) (left []types.Message) {
	for try := range deleteTries {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(messages))
		for i, m := range messages {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle}
		}
		out, err := w.opts.Queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{
			QueueUrl: aws.String(w.opts.QueueURL),
			Entries:  entries,
		})
		var again []types.Message
		if err != nil {
			w.deleteErrors.Add(int64(len(messages)))
			again = messages
		} else {
			w.deleteErrors.Add(int64(len(out.Failed)))
			for _, f := range out.Failed {
				i, err := strconv.Atoi(aws.ToString(f.Id))
				if err != nil || i < 0 || i >= len(messages) {
					continue
				}
				if f.SenderFault { // an expired receipt handle stays expired
					left = append(left, messages[i])
				} else {
					again = append(again, messages[i])
				}
			}
		}
		messages = again
		if len(messages) == 0 || try == deleteTries-1 || !pause.For(ctx, 100*time.Millisecond<<try) {
			break
		}
	}
	return append(left, messages...)
}
