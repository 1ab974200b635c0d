package sqssource

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
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
	mostFlying    = 16 // requests of one kind
)

// outbox gathers the actions of one kind into batch requests: of ten, or of
// those there are a few milliseconds after the first, or when nothing else
// runs, or at the end. All of it is guarded by run.mu.
type outbox struct {
	r       *run
	request func(context.Context, []*action) ([]types.BatchResultErrorEntry, error)
	pending []*action
	flying  int
	timer   *time.Timer
}

// add puts an action into the outbox.
func (b *outbox) add(a *action) {
	a.added = time.Now()
	b.pending = append(b.pending, a)
	b.pump()
}

// pump sends what is to be sent now and sees to the rest.
func (b *outbox) pump() {
	for len(b.pending) > 0 && b.flying < mostFlying {
		wait := actionLinger - time.Since(b.pending[0].added)
		if len(b.pending) < mostMessages && wait > 0 && !b.r.quiet() {
			if b.timer == nil {
				b.timer = time.AfterFunc(wait, b.late)
			} else {
				b.timer.Reset(wait)
			}
			return
		}
		n := min(len(b.pending), mostMessages)
		batch := append(make([]*action, 0, n), b.pending[:n]...)
		rest := copy(b.pending, b.pending[n:])
		clear(b.pending[rest:])
		b.pending = b.pending[:rest]
		for _, a := range batch {
			a.handle, a.m.wire = a.m.handle, true
		}
		b.flying++
		b.r.wires.Go(func() { b.send(batch) })
	}
}

func (b *outbox) late() {
	b.r.mu.Lock()
	defer b.r.unlock()
	b.pump()
}

// send makes one request and acts on its answer, entry by entry.
func (b *outbox) send(batch []*action) {
	r := b.r
	ctx, cancel := context.WithTimeout(r.wireCtx, actionTimeout)
	defer cancel()
	refused, err := b.request(ctx, batch)
	if err != nil && fatal(err) {
		r.fail(&QueueError{URL: r.p.url, Op: "settle messages", Err: err})
	}
	codes := make([]string, len(batch))
	for _, f := range refused {
		if i, e := strconv.Atoi(*f.Id); e == nil && i < len(codes) {
			codes[i] = *f.Code
		}
	}
	var again []*action
	r.mu.Lock()
	b.flying--
	for i, a := range batch {
		a.m.wire = false
		switch {
		case err == nil && a.handle != a.m.handle: // it came again meanwhile
			b.add(a)
		case err == nil && codes[i] == "":
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
	wait := min(actionBackoff<<min(again[0].tries, 10), mostBackoff)
	pause(b.r.wireCtx, wait/2+rand.N(wait/2))
	b.r.mu.Lock()
	defer b.r.unlock()
	for _, a := range again {
		b.r.act(a)
	}
}

// act ends a message's stay, after the heartbeat that may be under way: one
// that arrives later would undo the action. r.mu is held.
func (r *run) act(a *action) {
	switch {
	case r.closed:
		r.gone(a.m, unsettled)
	case a.m.wire:
		a.m.then = a
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
		r.gone(a.m, a.as) // it is visible, as it was to be
		return
	}
	r.finished.add(a.m.id)
	r.tell(consumer.DeleteFailed{Record: &a.m.rec, Err: err})
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
	for i, a := range batch {
		after := max(a.after-now.Sub(a.added), 0)
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &a.handle, VisibilityTimeout: a.m.seconds(now, after),
		}
	}
	return r.changeVisibility(ctx, entries)
}

func (r *run) changeVisibility(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) ([]types.BatchResultErrorEntry, error) {
	out, err := r.p.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.p.url, Entries: entries})
	if err != nil {
		return nil, err
	}
	return out.Failed, nil
}

// entryID names the entry of a batch by its place: a message may be in it
// twice.
func entryID(i int) *string {
	id := strconv.Itoa(i)
	return &id
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
