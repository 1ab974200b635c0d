package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// experiment sends messages that are numbered through, receives and deletes
// them as they come, and counts those that come again.
//
// Not every message that comes again is a duplicate of the queue's. One that
// was not deleted within its visibility timeout comes back rightly; one that
// was sent twice, because the answer to the first time was lost, is known by
// its other MessageId. Both are counted apart.
type experiment struct {
	client  *sqs.Client
	url     string
	name    string // in each message: what else is in the queue is not ours
	n       int
	workers int
	poll    time.Duration // of long polls, in whole seconds
	settle  time.Duration // how long is waited for late duplicates

	mu      sync.Mutex
	next    int // the number that is sent next
	sending int // workers that still send
	last    time.Time
	seen    []sighting // by number
	tally   tally
	err     error
}

// tally is what an experiment counted.
type tally struct {
	sent       int
	received   int // messages, each counted once
	duplicated int // of them, those that were delivered again
	duplicates int // deliveries of them beyond the first
	expired    int // deliveries after a visibility timeout that was over
	resent     int // deliveries of messages that were sent again
	foreign    int // deliveries of messages that are not ours
}

// sighting is what is known of a message.
type sighting struct {
	id    string    // its MessageId, of the first one that came
	until time.Time // it is invisible at least so long, unless the queue errs
	gone  bool      // it was deleted before that
	again bool      // it has been delivered again
}

const (
	// experimentVisibility is plenty to delete a message that is here.
	experimentVisibility = 30 * time.Second

	experimentTimeout = 20 * time.Second
	experimentTries   = 5
)

// run carries the experiment out, or as much of it as there is time for until
// ctx ends, and returns why it could not be.
func (e *experiment) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.begin()
	var all sync.WaitGroup
	for range e.workers {
		for _, work := range []func(context.Context) error{e.send, e.receive} {
			all.Go(func() {
				if err := work(ctx); err != nil {
					e.fail(err)
					cancel()
				}
			})
		}
	}
	all.Wait()
	return e.err
}

func (e *experiment) begin() {
	e.seen, e.sending, e.last = make([]sighting, e.n), e.workers, time.Now()
}

func (e *experiment) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *experiment) counts() tally {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tally
}

// send sends messages until all are sent or ctx ends.
func (e *experiment) send(ctx context.Context) error {
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.sending--
		e.last = time.Now()
	}()
	for {
		e.mu.Lock()
		from := e.next
		e.next = min(from+maxBatch, e.n)
		to := e.next
		e.mu.Unlock()
		if from == to {
			return nil
		}
		var entries []types.SendMessageBatchRequestEntry
		for i := from; i < to; i++ {
			entries = append(entries, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(fmt.Sprint(e.name, " ", i)),
			})
		}
		err := e.try(ctx, "send", func(ctx context.Context) error {
			out, err := e.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &e.url, Entries: entries})
			if err != nil {
				return err
			}
			e.mu.Lock()
			e.tally.sent += len(out.Successful)
			e.mu.Unlock()
			entries = slices.DeleteFunc(entries, func(s types.SendMessageBatchRequestEntry) bool {
				return slices.ContainsFunc(out.Successful, func(ok types.SendMessageBatchResultEntry) bool { return *ok.Id == *s.Id })
			})
			return failedEntry(out.Failed)
		})
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// receive receives and deletes messages until all is quiet or ctx ends.
func (e *experiment) receive(ctx context.Context) error {
	for {
		var began time.Time
		var got []types.Message
		err := e.try(ctx, "receive", func(ctx context.Context) error {
			began = time.Now()
			out, err := e.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl: &e.url, MaxNumberOfMessages: maxBatch,
				WaitTimeSeconds: int32(e.poll.Seconds()), VisibilityTimeout: int32(experimentVisibility.Seconds()),
			})
			if err != nil {
				return err
			}
			got = out.Messages
			return nil
		})
		if err != nil || ctx.Err() != nil && got == nil {
			return err
		}
		ours := e.delivered(got, began)
		if len(ours) == 0 && e.quiet(began) {
			return nil
		}
		if err := e.remove(context.WithoutCancel(ctx), ours); err != nil {
			return err
		}
	}
}

// quiet tells whether a receive that began then, and brought nothing, is the
// last one.
func (e *experiment) quiet(began time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sending == 0 && !began.Before(e.last.Add(e.settle))
}

// delivered counts messages that a receive brought which began then, and
// returns those that are ours.
func (e *experiment) delivered(got []types.Message, began time.Time) []types.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	var ours []types.Message
	for _, m := range got {
		i, ok := e.number(aws.ToString(m.Body))
		if !ok {
			e.tally.foreign++
			continue
		}
		ours = append(ours, m)
		e.last = now
		s := &e.seen[i]
		switch {
		case s.id == "":
			s.id = aws.ToString(m.MessageId)
			e.tally.received++
		case s.id != aws.ToString(m.MessageId):
			e.tally.resent++
			continue
		case s.gone || now.Before(s.until):
			e.tally.duplicates++
			if !s.again {
				e.tally.duplicated++
			}
			s.again = true
		default:
			e.tally.expired++
		}
		s.until = began.Add(experimentVisibility)
	}
	return ours
}

// number returns the number of a message, and false when it is not ours.
func (e *experiment) number(body string) (int, bool) {
	text, ok := strings.CutPrefix(body, e.name+" ")
	i, err := strconv.Atoi(text)
	return i, ok && err == nil && i >= 0 && i < e.n
}

// remove deletes messages.
func (e *experiment) remove(ctx context.Context, ms []types.Message) error {
	if len(ms) == 0 {
		return nil
	}
	var entries []types.DeleteMessageBatchRequestEntry
	for i, m := range ms {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	return e.try(ctx, "delete", func(ctx context.Context) error {
		out, err := e.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &e.url, Entries: entries})
		if err != nil {
			return err
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		now := time.Now()
		for _, ok := range out.Successful {
			i, _ := strconv.Atoi(*ok.Id)
			n, _ := e.number(*ms[i].Body)
			if s := &e.seen[n]; s.id == *ms[i].MessageId && now.Before(s.until) {
				s.gone = true
			}
			entries = slices.DeleteFunc(entries, func(d types.DeleteMessageBatchRequestEntry) bool { return *d.Id == *ok.Id })
		}
		return failedEntry(out.Failed)
	})
}

// failedEntry returns an error when entries of a batch failed.
func failedEntry(failed []types.BatchResultErrorEntry) error {
	if len(failed) == 0 {
		return nil
	}
	return errors.New(aws.ToString(failed[0].Code) + ": " + aws.ToString(failed[0].Message))
}

// try makes a request, again when it fails. Once ctx has ended that is no
// error.
func (e *experiment) try(ctx context.Context, what string, f func(context.Context) error) error {
	for n := 1; ctx.Err() == nil; n++ {
		bounded, cancel := context.WithTimeout(ctx, experimentTimeout)
		err := f(bounded)
		cancel()
		if err == nil {
			return nil
		}
		if n == experimentTries && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		pause.For(ctx, time.Duration(n)*200*time.Millisecond)
	}
	return nil
}
