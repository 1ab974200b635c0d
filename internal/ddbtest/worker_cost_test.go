package ddbtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// A batch on DynamoDB takes few requests, not one or two for each record, and
// has few of them in flight; what it costs is what the store's package says.
func TestDynamoDBRequests(t *testing.T) {
	for _, c := range []struct {
		name           string
		records, known int           // of the records, these were done before
		trip           time.Duration // of a request
		most           int           // requests
		units          ddbtest.Units
	}{
		{name: "ten fresh", records: 10, most: 2, units: ddbtest.Units{Write: 20}},
		{name: "ten fresh over a network", records: 10, trip: 5 * time.Millisecond, most: 2, units: ddbtest.Units{Write: 20}},
		{name: "ten duplicates", records: 10, known: 10, most: 2, units: ddbtest.Units{Write: 10, Read: 10}},
		{name: "five fresh, five duplicates", records: 10, known: 5, most: 3, units: ddbtest.Units{Write: 15, Read: 5}},
		{name: "one fresh", records: 1, most: 2, units: ddbtest.Units{Write: 2}},
		{name: "one duplicate", records: 1, known: 1, most: 1, units: ddbtest.Units{Write: 1}},
		{name: "thousand fresh", records: 1000, trip: 5 * time.Millisecond, most: 110, units: ddbtest.Units{Write: 2000}},
		{name: "thousand fresh at once", records: 1000, most: 110, units: ddbtest.Units{Write: 2000}},
		{name: "thousand duplicates", records: 1000, known: 1000, trip: 5 * time.Millisecond, most: 110, units: ddbtest.Units{Write: 1000, Read: 1000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := ddbtest.New(ddbtest.Options{})
				if err := dynamodedupe.CreateTable(t.Context(), s.Client(), "dedupe"); err != nil {
					t.Fatal(err)
				}
				s.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: c.trip} })
				deliver(t, s, c.known)
				s.Reset()
				start := time.Now()
				deliver(t, s, c.records)

				if got := len(s.Requests()); got > c.most {
					t.Errorf("%d requests, want at most %d: %v", got, c.most, operations(s))
				}
				if got := s.MostInFlight(); got > 8 {
					t.Errorf("%d requests in flight, want at most 8", got)
				}
				if got := s.Used(); got != c.units {
					t.Errorf("used %+v, want %+v", got, c.units)
				}
				t.Logf("%d requests %v, %d in flight, %+v, %v", len(s.Requests()), operations(s), s.MostInFlight(), s.Used(), time.Since(start))
			})
		})
	}
}

// deliver runs n records through a new worker, which must all be done.
func deliver(t *testing.T, s *ddbtest.Server, n int) {
	t.Helper()
	recs := make([]*consumer.Record, n)
	for i := range recs {
		recs[i] = &consumer.Record{ID: fmt.Sprint("record-", i)}
	}
	guard := dedupe.New(dynamodedupe.New(s.Client(), "dedupe"), dedupe.Options{Consumer: "orders"})
	p := batch.New(guard, consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return nil }), batch.Options{})
	for rec, err := range p.Process(t.Context(), recs) {
		if err != nil {
			t.Errorf("record %s: %v", rec.ID, err)
		}
	}
}

// operations counts the requests by operation.
func operations(s *ddbtest.Server) map[string]int {
	n := map[string]int{}
	for _, r := range s.Requests() {
		n[r.Op]++
	}
	return n
}
