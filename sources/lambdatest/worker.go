package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// A worker polls, invokes and settles one batch after the other.
type worker struct {
	*Mapping
	queue queue
	call  caller
	carry []record // received, but too large for the batch before
}

const (
	longPoll   = 20 * time.Second
	maxPayload = 6 << 20 // of a synchronous invocation
)

// run returns nil when ctx ends and an error when polling has become pointless.
func (w *worker) run(ctx context.Context) error {
	for retry := time.Second; ; {
		batch, err := w.collect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is how the work ends, not a failure of it
		}
		if _, gone := errors.AsType[*types.QueueDoesNotExist](err); gone {
			return fmt.Errorf("lambdatest: receive from %s: %w", w.opts.QueueURL, err)
		}
		if err != nil {
			w.receiveErrors.Add(1)
			pause.For(ctx, retry)
			retry = min(2*retry, longPoll)
		} else {
			retry = time.Second
		}
		if len(batch) > 0 {
			w.deliver(ctx, batch)
		}
	}
}

// collect gathers a batch: one receive, or receives until the batching window
// of the first message ends, BatchSize is reached, or the payload is full. What
// was gathered before an error is returned with it.
func (w *worker) collect(ctx context.Context) ([]record, error) {
	var (
		batch []record
		size  = len(eventHead) + len(eventTail)
		ends  time.Time
	)
	take := func(records []record) (full bool) {
		for i, r := range records {
			size += len(r.encoded) + 1
			if len(batch) == w.opts.BatchSize || size > maxPayload && len(batch) > 0 {
				w.carry = records[i:]
				return true
			}
			if len(batch) == 0 {
				ends = time.Now().Add(w.opts.BatchingWindow)
			}
			batch = append(batch, r)
		}
		return len(batch) == w.opts.BatchSize
	}
	carried := w.carry
	w.carry = nil
	full := take(carried)
	for !full && ctx.Err() == nil {
		wait := longPoll
		if len(batch) > 0 {
			wait = min(wait, time.Until(ends))
			if wait <= 0 {
				break
			}
			// SQS waits for whole seconds; the rest of the window is waited
			// for here, without a poll that could not wait.
			if wait < time.Second {
				pause.For(ctx, wait)
				break
			}
		}
		messages, err := w.receive(ctx, min(10, w.opts.BatchSize-len(batch)), wait)
		if err != nil {
			return batch, err
		}
		records := make([]record, 0, len(messages))
		for _, m := range messages {
			r, err := newRecord(w.queue.arn, m)
			if err != nil {
				return batch, err
			}
			records = append(records, r)
		}
		full = take(records)
	}
	return batch, nil
}

// deliver invokes the function with a batch and deletes what it finished. It
// ignores the end of ctx: what has begun is brought to its end.
func (w *worker) deliver(ctx context.Context, batch []record) {
	ctx = context.WithoutCancel(ctx)
	messages := make([]types.Message, len(batch))
	for i, r := range batch {
		messages[i] = r.message
	}
	inv := Invocation{Seq: int(w.seq.Add(1) - 1), Started: time.Now()}
	if w.opts.Fault != nil {
		w.hook <- struct{}{}
		inv.Fault = w.opts.Fault(inv.Seq, slices.Clone(messages))
		<-w.hook
	}
	if inv.Fault.DuplicateRecords {
		batch = append(batch, batch...)
	}
	for _, r := range batch {
		inv.MessageIDs = append(inv.MessageIDs, r.id())
	}
	inv.Payload = joinRecords(batch)
	w.invoked.Add(int64(len(batch)))
	inv.Response, inv.Err = w.call.call(ctx, inv.Payload, inv.Fault)
	w.settle(ctx, &inv, messages)
	inv.Ended = time.Now()
	if w.opts.Observe != nil {
		w.hook <- struct{}{}
		w.opts.Observe(inv)
		<-w.hook
	}
}

// settle decides what of a batch failed, and deletes the rest.
func (w *worker) settle(ctx context.Context, inv *Invocation, messages []types.Message) {
	failed := make(map[string]bool)
	if inv.Err == nil && w.opts.ReportBatchItemFailures {
		var ids []string
		ids, inv.Err = BatchItemFailures(inv.Response, inv.MessageIDs)
		for _, id := range ids {
			failed[id] = true
		}
	}
	if inv.Err != nil {
		for _, id := range inv.MessageIDs {
			failed[id] = true
		}
	}
	if len(failed) > 0 {
		w.failedInvoke.Add(int64(len(inv.MessageIDs)))
	}
	var done, back []types.Message
	for _, m := range messages {
		if failed[aws.ToString(m.MessageId)] {
			back = append(back, m)
		} else {
			done = append(done, m)
		}
	}
	left := w.remove(ctx, done)
	w.deleted.Add(int64(len(done) - len(left)))
	inv.Failed = distinctIDs(back, nil)
	inv.Undeleted = distinctIDs(left, nil)
	inv.Deleted = distinctIDs(done, inv.Undeleted)
}

// distinctIDs returns the ids of messages, each once, without those in except:
// a batch may hold one message under several receipt handles.
func distinctIDs(messages []types.Message, except []string) []string {
	seen := make(map[string]bool)
	for _, id := range except {
		seen[id] = true
	}
	var ids []string
	for _, m := range messages {
		if id := aws.ToString(m.MessageId); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
