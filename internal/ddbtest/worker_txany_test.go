package ddbtest_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// dice are what goes wrong in one run, the same for the same seed as far as
// the scheduler is.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func (d *dice) oneIn(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n) == 0
}

func (d *dice) upTo(most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.rnd.Int64N(int64(most)))
}

// fault loses, delays, refuses and breaks requests.
func (d *dice) fault(req ddbtest.Request) (a ddbtest.Action) {
	if d.oneIn(6) {
		a.Delay = d.upTo(8 * time.Second)
	}
	switch {
	case d.oneIn(8):
		a.DropRequest = true
	case d.oneIn(6):
		a.DropResponse = true
	case d.oneIn(10):
		a.Err = &ddbtest.Error{Code: "InternalServerError"}
	case d.oneIn(9):
		a.Err = &ddbtest.Error{Code: "ThrottlingException"}
	case d.oneIn(7):
		a.DelayResponse = d.upTo(5 * time.Second)
	case req.Op == "TransactWriteItems" && d.oneIn(4):
		a.Hold = d.upTo(4 * time.Second)
	}
	return a
}

// lateClient is a client some of whose transactions arrive once more, or only,
// when it has long given them up.
type lateClient struct {
	*dynamodb.Client
	dice *dice
	all  *sync.WaitGroup
}

func (c lateClient) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if c.dice.oneIn(4) {
		c.all.Go(func() {
			time.Sleep(c.dice.upTo(20 * time.Second))
			_, _ = c.Client.TransactWriteItems(context.WithoutCancel(ctx), in, o...)
		})
		if c.dice.oneIn(2) {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return c.Client.TransactWriteItems(ctx, in, o...)
}

// Whatever is lost, refused or late, past its lease too, however many workers
// are at it and however badly their handlers behave: no order is made twice,
// each is there when its record is done, and the last delivery makes those
// that are missing.
func TestDynamoDBTransactionsAnySchedule(t *testing.T) {
	for seed := range uint64(20) {
		onDynamoDB(t, func(d *dynamo) {
			if err := dynamodedupe.CreateTable(d.Context(), d.Client(), "orders"); err != nil {
				d.Fatal(err)
			}
			dice := &dice{rnd: rand.New(rand.NewPCG(seed, 4))}
			d.Fault(dice.fault)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { d.misbehave(dice, &all) })
			}
			all.Wait()
			d.Fault(nil)
			time.Sleep(time.Minute) // leases end
			for id, err := range d.deliverTx() {
				if err != nil {
					d.Errorf("last delivery of %s: %v", id, err)
				}
			}
			d.wantOrders(func(_ string, n string) bool { return n == "1" })
			if d.Failed() {
				d.Fatalf("with seed %d", seed)
			}
		})
	}
}

// misbehave is a worker with short leases whose handlers are slow, ignore their
// contexts, make transactions side by side and try again what they must not.
func (d *dynamo) misbehave(dice *dice, all *sync.WaitGroup) {
	store := dynamodedupe.New(lateClient{d.Client(), dice, all}, "dedupe")
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Lease: 3 * time.Second, Skew: 100 * time.Millisecond})
	p := batch.New(guard, consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		all.Add(1) // its batch may not wait for it
		defer all.Done()
		time.Sleep(dice.upTo(4 * time.Second))
		if dice.oneIn(4) {
			ctx = context.WithoutCancel(ctx)
		}
		if dice.oneIn(4) {
			all.Go(func() { _ = store.CompleteTx(ctx, anOrder(rec.ID)) })
		}
		err := store.CompleteTx(ctx, anOrder(rec.ID))
		for err != nil && dice.oneIn(2) {
			err = store.CompleteTx(ctx, anOrder(rec.ID))
		}
		return err
	}), batch.Options{Concurrency: 4})
	for range 4 {
		recs := make([]*consumer.Record, 10)
		for i := range recs {
			recs[i] = &consumer.Record{ID: fmt.Sprint("record-", i)}
		}
		ctx, cancel := context.WithTimeout(d.Context(), 2*time.Second+dice.upTo(15*time.Second))
		for rec, err := range p.Process(ctx, recs) {
			if _, made := d.Items("orders")[rec.ID]; err == nil && !made {
				d.Errorf("%s is done without its order", rec.ID)
			}
		}
		cancel()
	}
}
