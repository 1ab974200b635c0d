package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// mostWaiting is how many messages may be in a queue before the producer waits.
const mostWaiting = 5000

// soak is one run.
type soak struct {
	settings
	out    io.Writer
	began  time.Time
	server *sqstest.Server
	url    string // of the server
	store  *store
	ledger *ledger
	luck   *luck
	memory memory

	counts, events, reports counts
	polling                 sync.WaitGroup // Runs of pollers
}

// newSoak makes the queues and the store; done ends them.
func newSoak(set settings, out io.Writer) (s *soak, done func(), err error) {
	s = &soak{
		settings: set, out: out, began: time.Now(), ledger: newLedger(),
		luck:   &luck{rng: rand.New(rand.NewPCG(set.seed, 0))}, //nolint:gosec // no secret
		counts: counts{of: map[string]int{}}, events: counts{of: map[string]int{}}, reports: counts{of: map[string]int{}},
		server: sqstest.New(sqstest.Options{
			Seed: set.seed, Duplicate: 0.03, Redeliver: 0.03, EmptyReceive: 0.1, Reorder: true, IgnoreStaleDelete: true, HistorySize: -1,
		}),
	}
	if s.url, err = s.server.Start(); err != nil {
		return nil, nil, err
	}
	for queue, its := range map[string]string{standard: dead, ordered: deadFIFO} {
		s.server.CreateQueue(its, nil)
		s.server.CreateQueue(queue, map[string]string{
			"VisibilityTimeout": strconv.Itoa(int(visibility.Seconds())), // with bad luck alone a message is received often:
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":200}`, s.server.ARN(its)),
		})
	}
	s.server.Fault(s.service)
	if set.store == "memory" {
		s.store = &store{Store: memdedupe.New(), s: s}
		return s, func() { _ = s.server.Close() }, nil
	}
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return nil, nil, err
	}
	bolt, err := boltdedupe.Open(filepath.Join(dir, "dedupe.db"), boltdedupe.Options{})
	if err != nil {
		return nil, nil, err
	}
	s.store = &store{Store: bolt, s: s}
	return s, func() { _ = s.server.Close(); _ = bolt.Close(); _ = os.RemoveAll(dir) }, nil
}

// play lets it all happen: first messages and trouble, then neither until the queues are empty.
func (s *soak) play(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	trouble, calm := context.WithTimeout(ctx, s.time)
	defer calm()
	workers, stop := context.WithCancel(ctx)
	defer stop()
	var around, working sync.WaitGroup
	around.Go(func() { s.outages(trouble) })
	around.Go(func() {
		if err := s.produce(trouble); err != nil {
			fail(err)
		}
	})
	for range s.workers {
		working.Go(func() {
			if err := s.worker(workers); err != nil {
				fail(err)
			}
		})
	}
	telling, enough := context.WithCancel(ctx)
	var progress sync.WaitGroup
	progress.Go(func() { s.tell(telling) })
	around.Wait()
	s.luck.end()
	err := s.empty(ctx)
	stop()
	working.Wait()
	s.polling.Wait()
	enough()
	progress.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// produce sends messages until ctx ends.
func (s *soak) produce(ctx context.Context) error {
	client := s.server.Client() // nothing goes wrong with what it sends: what was never sent cannot be done
	tick := time.NewTicker(time.Second / 10)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if s.waiting() > mostWaiting {
			s.counts.add("producer: waits", 1)
			continue
		}
		batches := map[string][]types.SendMessageBatchRequestEntry{}
		for range max(s.rate/10, 1) {
			p := planOf(s.seed, n)
			s.ledger.send(n, p)
			queue := standard
			if p.fifo {
				queue = ordered
			}
			batches[queue] = append(batches[queue], entry(n, p, ""))
			if p.twice {
				s.counts.add("producer: sent again", 1)
				batches[queue] = append(batches[queue], entry(n, p, "again"))
			}
			n++
		}
		for queue, entries := range batches {
			if err := s.send(context.WithoutCancel(ctx), client, queue, entries); err != nil {
				return err
			}
		}
	}
}

func entry(n int, p plan, suffix string) types.SendMessageBatchRequestEntry {
	id, text, group := strconv.Itoa(n)+suffix, bodyOf(n), "g"+strconv.Itoa(p.group)
	e := types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &text, MessageGroupId: &group}
	if p.fifo {
		e.MessageDeduplicationId = &id
	}
	return e
}

func (s *soak) send(ctx context.Context, client *sqs.Client, queue string, entries []types.SendMessageBatchRequestEntry) error {
	url := s.url + "/000000000000/" + queue
	for len(entries) > 0 {
		n := min(len(entries), 10)
		out, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries[:n]})
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if len(out.Failed) > 0 {
			return fmt.Errorf("send: %s", *out.Failed[0].Code)
		}
		entries = entries[n:]
	}
	return nil
}

// waiting returns how many messages are in the two queues.
func (s *soak) waiting() int {
	return s.server.Stats(standard).Total() + s.server.Stats(ordered).Total()
}

// empty waits until nothing is in the queues any more.
func (s *soak) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.drain, errors.New("the queues did not become empty in time"))
	defer cancel()
	for s.waiting() > 0 {
		pause.For(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
