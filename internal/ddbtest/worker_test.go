package ddbtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// dynamo is a worker on a DynamoDB that fails as it is told.
type dynamo struct {
	*testing.T
	*ddbtest.Server

	mu  sync.Mutex
	ran map[string]int
}

func onDynamoDB(t *testing.T, f func(d *dynamo)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &dynamo{T: t, Server: ddbtest.New(ddbtest.Options{}), ran: map[string]int{}}
		if err := dynamodedupe.CreateTable(t.Context(), d.Client(), "dedupe"); err != nil {
			t.Fatal(err)
		}
		f(d)
	})
}

// deliver runs ten records through a new worker and returns their outcomes.
func (d *dynamo) deliver() map[string]error {
	d.Helper()
	recs := make([]*consumer.Record, 10)
	for i := range recs {
		recs[i] = &consumer.Record{ID: fmt.Sprint("record-", i)}
	}
	guard := dedupe.New(dynamodedupe.New(d.Client(), "dedupe"), dedupe.Options{Consumer: "orders"})
	p := batch.New(guard, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ran[rec.ID]++
		return nil
	}), batch.Options{})
	out := map[string]error{}
	for rec, err := range p.Process(d.Context(), recs) {
		out[rec.ID] = err
	}
	return out
}

// failed returns the records that failed, in order.
func failed(out map[string]error) (ids []string) {
	for id, err := range out {
		if err != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// each checks that every record ran that often.
func (d *dynamo) each(times int) {
	d.Helper()
	for i := range 10 {
		if id := fmt.Sprint("record-", i); d.ran[id] != times {
			d.Errorf("%s ran %d times, want %d", id, d.ran[id], times)
		}
	}
}

// A lost answer, to the claims or to the completions, costs nothing: each
// record runs once and none is reported.
func TestDynamoDBLostAnswer(t *testing.T) {
	for nth := range 4 {
		onDynamoDB(t, func(d *dynamo) {
			var n atomic.Int64
			d.Fault(func(ddbtest.Request) ddbtest.Action {
				return ddbtest.Action{DropResponse: n.Add(1) == int64(nth)+1}
			})
			if ids := failed(d.deliver()); len(ids) > 0 {
				d.Errorf("request %d lost its answer: %v failed", nth, ids)
			}
			d.Fault(nil)
			if ids := failed(d.deliver()); len(ids) > 0 {
				d.Errorf("redelivery: %v failed", ids)
			}
			d.each(1)
		})
	}
}

// A claim that stays throttled fails its record alone, unrun; the redelivery
// runs it.
func TestDynamoDBThrottledClaim(t *testing.T) {
	onDynamoDB(t, func(d *dynamo) {
		d.Fault(func(req ddbtest.Request) (a ddbtest.Action) {
			i := slices.IndexFunc(req.Keys, func(key string) bool { return len(key) > 8 && key[len(key)-8:] == "record-3" })
			switch {
			case i < 0:
			case req.Op == "PutItem":
				a.Err = &ddbtest.Error{Code: "ThrottlingException"}
			default:
				a.FailStatements = map[int]*ddbtest.Error{i: {Code: "ThrottlingError"}}
			}
			return a
		})
		if ids := failed(d.deliver()); !slices.Equal(ids, []string{"record-3"}) {
			d.Errorf("%v failed, want the throttled record alone", ids)
		}
		if d.ran["record-3"] != 0 {
			d.Error("a record without a claim ran")
		}
		d.Fault(nil)
		if ids := failed(d.deliver()); len(ids) > 0 {
			d.Errorf("redelivery: %v failed", ids)
		}
		d.each(1)
	})
}

// A completion that cannot be written is tried again and then its record is
// reported, not released: until the lease ends nobody runs it.
func TestDynamoDBNoCompletion(t *testing.T) {
	onDynamoDB(t, func(d *dynamo) {
		var n atomic.Int64
		d.Fault(func(ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{DropRequest: n.Add(1) > 1}
		})
		if ids := failed(d.deliver()); len(ids) != 10 {
			d.Errorf("%v failed, want all", ids)
		}
		if n.Load() < 6 {
			d.Errorf("%d requests, want several tries of the completion", n.Load())
		}
		d.Fault(nil)
		for id, err := range d.deliver() {
			if err == nil {
				d.Errorf("%s is done although its completion was never written and its lease lives", id)
			}
		}
		d.each(1)
		time.Sleep(time.Minute)
		if ids := failed(d.deliver()); len(ids) > 0 {
			d.Errorf("after the lease: %v failed", ids)
		}
		d.each(2)
	})
}

// A store that is down runs nothing and fails every record.
func TestDynamoDBDown(t *testing.T) {
	onDynamoDB(t, func(d *dynamo) {
		d.Fault(func(ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{Err: &ddbtest.Error{Code: "InternalServerError"}}
		})
		out := d.deliver()
		if ids := failed(out); len(ids) != 10 {
			d.Errorf("%v failed, want all", ids)
		}
		if _, typed := errors.AsType[*dedupe.StoreError](out["record-0"]); !typed {
			d.Errorf("error %v, want a StoreError", out["record-0"])
		}
		d.each(0)
	})
}
