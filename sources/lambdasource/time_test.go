package lambdasource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// sleeper is a handler that takes d, or until its context ends.
func sleeper(d time.Duration) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// The answer is there before the deadline, with what was done left out and
// all else reported, and what was reported runs when it comes again.
func TestSQSDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			reserve time.Duration
			done    []int // after the first and the second delivery
		}{{0, []int{4, 8}}, {2500 * time.Millisecond, []int{2, 4}}} { // by default 500 ms of 5 s
			h := lambdasource.SQS(newGuard(dedupe.Options{}), sleeper(time.Second), lambdasource.Options{Concurrency: 1, Reserve: row.reserve})
			payload := batchOf(t, numbered(10)...)
			for _, done := range row.done {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				left := failedIn(t, ctx, h, payload)
				if ctx.Err() != nil || len(left) != 10-done {
					t.Errorf("reserve %v: reported %q (%v), want an answer in time with %d of 10 done", row.reserve, left, ctx.Err(), done)
				}
				cancel()
			}
		}
	})
}

// A handler that ignores its context does not cost the answer; its record is
// reported and keeps its bytes, although the runtime uses the payload's memory
// again.
func TestSQSHandlerIgnoresDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late consumer.Record
		var text string
		release := make(chan struct{})
		h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if string(rec.Body) != "slow" {
				return nil
			}
			<-release
			late, text = *rec, fmt.Sprint(*rec)
			return nil
		}))
		payload := batchOf(t, "quick", "slow")
		intact := bytes.Clone(payload)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		want(t, "reported", failedIn(t, ctx, h, payload), "slow")
		if ctx.Err() != nil {
			t.Error("the answer came after the deadline")
		}
		if !bytes.Equal(payload, intact) {
			t.Error("the payload was changed")
		}
		for i := range payload {
			payload[i] = 'X'
		}
		close(release)
		synctest.Wait()
		if late.ID != "slow" || string(late.Body) != "slow" || late.Source != standardARN || bytes.Contains([]byte(text), []byte("XX")) {
			t.Errorf("the record changed under its handler: %s", text)
		}
	})
}

// A context that has ended already starts nothing and reports everything.
func TestSQSEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := new(journal)
	_, err := lambdasource.SQS(newGuard(dedupe.Options{}), j).Invoke(ctx, batchOf(t, "a", "b"))
	if _, ok := errors.AsType[*batch.NotStartedError](err); !ok || len(j.ran()) != 0 {
		t.Errorf("got %v and %q run, want a NotStartedError and nothing run", err, j.ran())
	}
}

// Invocations that run at the same time in one process share the limit of
// concurrency and run each key once.
func TestSQSConcurrentInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		var running, runs atomic.Int32
		h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			if n := running.Add(1); n > most {
				t.Errorf("%d handlers at once, want at most %d", n, most)
			}
			time.Sleep(time.Second)
			runs.Add(1)
			running.Add(-1)
			return nil
		}), lambdasource.Options{Concurrency: most})
		payload := batchOf(t, numbered(20)...)
		var invocations sync.WaitGroup
		for range 8 {
			invocations.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				want(t, "failed", failedIn(t, ctx, h, payload))
			})
		}
		invocations.Wait()
		if runs.Load() != 20 {
			t.Errorf("%d runs, want 20", runs.Load())
		}
	})
}

// Who holds the key of a record in another process makes it fail, never pass.
func TestSQSInProgressElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := twoWorkers(sleeper(10 * time.Second))
		payload := batchOf(t, "a")
		var first sync.WaitGroup
		first.Go(func() { want(t, "first", failed(t, there, payload)) })
		synctest.Wait()
		if _, err := here.Invoke(t.Context(), payload); !errors.Is(err, dedupe.ErrInProgress) {
			t.Errorf("got %v, want ErrInProgress", err)
		}
		first.Wait()
		want(t, "second", failed(t, here, payload))
	})
}
