package lambdasource_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// a ledger is the system that the work has its effects on. Runs fail, panic
// and take their time as chance has it; "poison" never succeeds.
type ledger struct {
	mu      sync.Mutex
	chance  *rand.Rand
	effects []string // the orders, in the order of their effects
	runs    int
}

type order struct {
	ID string `json:"order_id"`
}

func (l *ledger) place(ctx context.Context, o order) error {
	l.mu.Lock()
	l.runs++
	fate, takes := l.chance.IntN(10), time.Duration(l.chance.IntN(900))*time.Millisecond
	l.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch {
	case o.ID == "poison" || fate == 0:
		return errRefused
	case fate == 1:
		panic("out of luck")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.effects = append(l.effects, o.ID)
	return nil
}

// checkOnce checks that each of the orders had its effect once, and nothing
// else had one.
func (l *ledger) checkOnce(t *testing.T, orders []string) {
	t.Helper()
	got, want := slices.Sorted(slices.Values(l.effects)), slices.Sorted(slices.Values(orders))
	if !slices.Equal(got, want) {
		t.Errorf("%d effects of %d orders: got %q, want each once: %q", len(got), len(want), got, want)
	}
	if l.runs <= len(orders) {
		t.Errorf("%d runs: nothing failed, so this proved nothing", l.runs)
	}
}

// processes returns a function that runs in n processes over one store: the
// invocations go to each in turn.
func processes(n int, l *ledger) lambdatest.Invoker {
	store := memdedupe.New()
	var hs []*lambdasource.BatchHandler
	for range n {
		guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
		hs = append(hs, lambdasource.SQS(guard, consumer.JSON(l.place)))
	}
	var calls atomic.Int64
	return lambdatest.HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		return lambdatest.Function{Handler: hs[int(calls.Add(1))%n]}.Invoke(ctx, payload)
	})
}

// trouble is what AWS may do around an invocation.
func trouble(seq int, _ []types.Message) lambdatest.Fault {
	return lambdatest.Fault{
		Throttle:         seq%17 == 5,
		DropResponse:     seq%5 == 1,
		Twin:             seq%4 == 2,
		Again:            seq%7 == 3,
		DuplicateRecords: seq%3 == 0,
	}
}

// a shop is a queue with a dead-letter queue behind a function.
type shop struct {
	t      *testing.T
	server *sqstest.Server
	client *sqs.Client
	url    string
	suffix string
}

// open makes the queues, whose names end in suffix.
func open(t *testing.T, o sqstest.Options, suffix string) *shop {
	s := &shop{t: t, server: sqstest.New(o), suffix: suffix}
	s.server.CreateQueue("dead"+suffix, nil)
	s.url = s.server.CreateQueue("orders"+suffix, map[string]string{
		"VisibilityTimeout": "30",
		"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":25}`, s.server.ARN("dead"+suffix)),
	})
	s.client = s.server.Client()
	return s
}

// send sends an order under a deduplication id, if the queue has such.
func (s *shop) send(group, id, dedup string) {
	s.t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &s.url, MessageBody: aws.String(fmt.Sprintf(`{"order_id":%q}`, id))}
	if s.suffix != "" {
		in.MessageGroupId, in.MessageDeduplicationId = &group, &dedup
	}
	if _, err := s.client.SendMessage(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

// run lets the function work until the queue is empty, and checks that nothing
// but want is in the dead-letter queue.
func (s *shop) run(o lambdatest.MappingOptions, want ...string) {
	s.t.Helper()
	o.Queue, o.QueueURL, o.ReportBatchItemFailures, o.Timeout, o.Fault = s.client, s.url, true, 10*time.Second, trouble
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Hour)
	defer cancel()
	m := lambdatest.NewMapping(o)
	if err := m.Run(ctx); err != nil {
		s.t.Fatal(err)
	}
	if left := s.server.Messages("orders" + s.suffix); len(left) > 0 {
		s.t.Errorf("%d messages are left in the queue, such as %+v", len(left), left[0])
	}
	var dead []string
	for _, m := range s.server.Messages("dead" + s.suffix) {
		dead = append(dead, m.Body)
	}
	if !slices.Equal(dead, want) {
		s.t.Errorf("dead letters %q, want %q", dead, want)
	}
}

// Through a queue that duplicates and reorders, a mapping that loses answers
// and invokes twice, two processes and handlers that fail and panic, each
// order has its effect once and none is lost; what never succeeds ends in the
// dead-letter queue.
func TestEndToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqstest.Options{Seed: 1, Duplicate: 0.2, Redeliver: 0.2, Reorder: true}, "")
		l := &ledger{chance: rand.New(rand.NewPCG(1, 2))}
		var orders []string
		for i := range 150 {
			id := fmt.Sprint("order-", i)
			orders = append(orders, id)
			s.send("", id, "")
			if i%4 == 0 { // the producer tries again: another messageId
				s.send("", id, "")
			}
		}
		s.send("", "poison", "")
		s.run(lambdatest.MappingOptions{Function: processes(2, l), Concurrency: 3, BatchSize: 40, BatchingWindow: time.Second},
			`{"order_id":"poison"}`)
		l.checkOnce(t, orders)
	})
}

// The same holds of a FIFO queue, and the effects of a message group come in
// the order in which its messages were sent.
func TestEndToEndFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqstest.Options{Seed: 2}, ".fifo")
		l := &ledger{chance: rand.New(rand.NewPCG(3, 4))}
		groups := []string{"a", "b", "c", "d"}
		var orders []string
		for i := range 15 {
			for _, g := range groups {
				id := fmt.Sprintf("%s-%02d", g, i)
				orders = append(orders, id)
				s.send(g, id, id)
				if i%5 == 0 { // sent again under another deduplication id
					s.send(g, id, id+"-again")
				}
			}
		}
		s.run(lambdatest.MappingOptions{Function: processes(2, l), Concurrency: 3})
		l.checkOnce(t, orders)
		for _, g := range groups {
			got := slices.DeleteFunc(slices.Clone(l.effects), func(id string) bool { return !strings.HasPrefix(id, g) })
			if !slices.IsSorted(got) {
				t.Errorf("effects of group %s out of order: %q", g, got)
			}
		}
	})
}
