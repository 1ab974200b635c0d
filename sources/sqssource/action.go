package sqssource

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// ending is how a delivery ended: each one is counted under one of them.
type ending uint8

const (
	unsettled ending = iota // neither deleted nor returned: it comes back by itself
	done                    // handled and deleted
	duplicate               // finished before, or a copy of one that is here; deleted
	failed                  // returned to the queue, or moved to the dead-letter queue
	released                // returned to the queue, not started
)

// action is what ends a message's stay in this process: it is deleted, or
// made visible again after some time.
type action struct {
	m     *message
	as    ending
	after time.Duration // until it is visible; not for deletes
	added time.Time
	tries int

	handle string // what the request under way names
}

const (
	actionLinger  = 5 * time.Millisecond // the longest wait for company
	actionTimeout = 10 * time.Second     // of one request, the SDK's retries included
	actionBackoff = 100 * time.Millisecond
	mostBackoff   = 5 * time.Second
	mostFlying    = mostReceivers // requests of one kind
)

// outbox gathers the actions of one kind into batch requests: of ten, or of
// those there are a few milliseconds after the first, or when nothing else
// runs, or at the end. All of it is guarded by run.mu.
type outbox struct {
	r       *run
	op      string
	request func(context.Context, []*action) ([]types.BatchResultErrorEntry, error)
	pending []*action
	flying  int
	timer   *time.Timer
	timed   *action        // whose wait the timer ends
	batches chan []*action // to senders that have nothing to do
}

// add puts an action into the outbox.
func (b *outbox) add(a *action) {
	if a.added.IsZero() { // else a.after counts from its first time
		a.added = time.Now()
	}
	b.pending = append(b.pending, a)
	b.pump()
}

// pump sends what is to be sent now and sees to the rest.
func (b *outbox) pump() {
	for len(b.pending) > 0 && b.flying < mostFlying {
		wait := actionLinger - time.Since(b.pending[0].added)
		if len(b.pending) < mostMessages && wait > 0 && !b.r.quiet() {
			b.wake(wait)
			return
		}
		n := min(len(b.pending), mostMessages)
		batch := make([]*action, 0, n)
		for _, a := range b.pending[:n] {
			switch {
			case b.r.here[a.m.id] != a.m: // it came again, as a new delivery
				continue
			case a.m.wire && !a.m.finished: // after the heartbeat under way, which could undo its return
				a.m.then = a
				continue
			}
			a.handle, a.m.wire = a.m.handle, true
			batch = append(batch, a)
		}
		rest := copy(b.pending, b.pending[n:])
		clear(b.pending[rest:])
		b.pending = b.pending[:rest]
		if len(batch) == 0 {
			continue
		}
		b.flying++
		select {
		case b.batches <- batch:
		default:
			b.r.wires.Go(func() { b.sender(batch) })
		}
	}
}

// wake sees to it that pump is called when the first of those that wait has
// waited enough.
func (b *outbox) wake(wait time.Duration) {
	switch {
	case b.timed == b.pending[0]:
		return
	case b.timer == nil:
		b.timer = time.AfterFunc(wait, b.late)
	default:
		b.timer.Reset(wait)
	}
	b.timed = b.pending[0]
}

func (b *outbox) late() {
	b.r.mu.Lock()
	defer b.r.unlock()
	b.timed = nil
	b.pump()
}

// sender makes one request after another, until no more can be made. To a new
// goroutine for each the growth of its stack would cost as much as a tenth of
// the request.
func (b *outbox) sender(batch []*action) {
	for {
		b.send(batch)
		select {
		case batch = <-b.batches:
		case <-b.r.wireCtx.Done():
			return
		}
	}
}

// send makes one request and acts on its answer, entry by entry.
func (b *outbox) send(batch []*action) {
	r := b.r
	ctx, cancel := context.WithTimeout(r.wireCtx, actionTimeout)
	defer cancel()
	refused, err := b.request(ctx, batch)
	if fatal(err) {
		r.fail(&QueueError{URL: r.p.url, Op: b.op, Err: err})
	}
	codes := codesOf(refused, len(batch))
	var again []*action
	r.mu.Lock()
	b.flying--
	for i, a := range batch {
		a.m.wire = false
		switch {
		case r.here[a.m.id] != a.m: // it came again, as a new delivery
		case err == nil && a.handle != a.m.handle: // it came again meanwhile
			b.add(a)
		case err == nil && codes[i] == "":
			if a.m.finished && a.m.lost { // perhaps somebody has a newer handle, and it is still there
				r.finished.add(a.m.id)
			}
			r.gone(a.m, a.as)
		case err == nil && stale(codes[i]):
			r.tooLate(a, errors.New(codes[i]))
		case r.wireCtx.Err() != nil || !time.Now().Before(a.m.deadline):
			if err == nil {
				err = errors.New(codes[i])
			}
			r.tooLate(a, err)
		default:
			a.tries++
			again = append(again, a)
		}
	}
	b.pump()
	r.unlock()
	if len(again) > 0 {
		b.retry(again)
	}
}

// retry sends actions again, a little later.
func (b *outbox) retry(again []*action) {
	pause.For(b.r.wireCtx, jittered(actionBackoff, mostBackoff, again[0].tries+1))
	b.r.mu.Lock()
	defer b.r.unlock()
	for _, a := range again {
		b.r.act(a)
	}
}

// act ends a message's stay. r.mu is held.
func (r *run) act(a *action) {
	if !a.m.finished && (a.after == 0 || r.fifo) {
		a.m.leaving = a
	}
	switch {
	case r.closed:
		r.gone(a.m, unsettled)
	case r.here[a.m.id] != a.m: // it came again, as a new delivery
	case a.m.finished:
		r.deletes.add(a)
	default:
		r.returns.add(a)
	}
}

// tooLate gives up an action: others may have received the message. Work that
// is done is remembered, so that the message is deleted when it comes again.
func (r *run) tooLate(a *action, err error) {
	if !a.m.finished {
		if r.wireCtx.Err() != nil {
			a.as = unsettled
		} // else it is visible, as it was to be
		r.gone(a.m, a.as)
		return
	}
	r.finished.add(a.m.id)
	r.tell(consumer.DeleteFailed{Record: a.m.rec, Err: err})
	r.gone(a.m, unsettled)
}

func (r *run) deleteBatch(ctx context.Context, batch []*action) ([]types.BatchResultErrorEntry, error) {
	entries := make([]types.DeleteMessageBatchRequestEntry, len(batch))
	for i, a := range batch {
		entries[i] = types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &a.handle}
	}
	out, err := r.p.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &r.p.url, Entries: entries})
	if err != nil {
		return nil, err
	}
	return out.Failed, nil
}

func (r *run) returnBatch(ctx context.Context, batch []*action) ([]types.BatchResultErrorEntry, error) {
	now := time.Now()
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(batch))
	r.mu.Lock()
	for i, a := range batch {
		after := max(a.after-now.Sub(a.added), 0)
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &a.handle, VisibilityTimeout: a.m.seconds(now, after),
		}
	}
	r.unlock()
	return r.changeVisibility(ctx, entries)
}

func (r *run) changeVisibility(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) ([]types.BatchResultErrorEntry, error) {
	out, err := r.p.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.p.url, Entries: entries})
	if err != nil {
		return nil, err
	}
	return out.Failed, nil
}

// codesOf returns the error codes of a batch's entries, empty where there is
// none.
func codesOf(refused []types.BatchResultErrorEntry, entries int) []string {
	codes := make([]string, entries)
	for _, f := range refused {
		if i, err := strconv.Atoi(aws.ToString(f.Id)); err == nil && i >= 0 && i < entries {
			codes[i] = cmp.Or(aws.ToString(f.Code), "unknown")
		}
	}
	return codes
}

// entryID names the entry of a batch by its place: a message may be in it
// twice.
func entryID(i int) *string {
	id := strconv.Itoa(i)
	return &id
}
