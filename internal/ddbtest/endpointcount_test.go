package ddbtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// unhurried is a worker whose requests may take as long as they do on a busy
// machine, and need no heartbeat meanwhile.
func unhurried(r *remote) worker {
	return worker{
		client: r.client(r.URL(), patient),
		store:  dynamodedupe.Options{Timeout: forever},
		guard:  dedupe.Options{Lease: forever, StoreTimeout: forever, SettleTimeout: forever},
	}
}

// count checks the requests since the last Reset.
func (r *remote) count(name string, most int) {
	r.Helper()
	n, flying := len(r.Requests()), r.MostInFlight()
	r.Logf("%s: %d requests %v, %d in flight", name, n, r.operations(), flying)
	if n > most {
		r.Errorf("%s: %d requests %v, want at most %d", name, n, r.operations(), most)
	}
	if flying > 8 {
		r.Errorf("%s: %d requests in flight, want at most 8", name, flying)
	}
}

// Counted on the network, ten fresh records take at most three requests, ten
// duplicates two, and five of each four.
func TestEndpointRequestsOfTen(t *testing.T) {
	overTCP(t, func(r *remote) {
		for _, c := range []struct {
			name string
			ids  []string
			most int
		}{
			{"ten fresh", ids(0, 10), 3},
			{"ten duplicates", ids(0, 10), 2},
			{"five fresh, five duplicates", ids(5, 15), 4},
			{"one fresh", ids(20, 21), 2},
			{"one duplicate", ids(20, 21), 1},
		} {
			w := unhurried(r)
			r.Reset()
			r.done(r.deliver(w, c.ids...))
			r.count(c.name, c.most)
		}
		r.runs(1, append(ids(0, 15), "record-20")...)
	})
}

// Counted on the network, a thousand records take at most 110 requests, of
// which at most eight are in flight.
func TestEndpointRequestsOfAThousand(t *testing.T) {
	overTCP(t, func(r *remote) {
		for i, c := range []struct {
			slots int
			work  time.Duration
		}{{10, 0}, {64, time.Millisecond}, {64, 5 * time.Millisecond}, {64, 20 * time.Millisecond}} {
			w := unhurried(r)
			w.batch = batch.Options{Concurrency: c.slots}
			w.handler = func(*consumer.Record) error {
				time.Sleep(c.work)
				return nil
			}
			all := ids(1000*i, 1000*i+1000)
			r.Reset()
			r.done(r.deliver(w, all...))
			r.count(fmt.Sprintf("handlers of %v in %d slots", c.work, c.slots), 110)
			r.runs(1, all...)
		}
	})
}

// However many batches one store serves at once, at most eight requests are in
// flight.
func TestEndpointInFlight(t *testing.T) {
	overTCP(t, func(r *remote) {
		w := unhurried(r)
		w.guard.Consumer = "orders"
		store := dynamodedupe.New(w.client, r.table, w.store)
		h := consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return nil })
		p := batch.New(dedupe.New(store, w.guard), h, batch.Options{Concurrency: 100})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				recs := make([]*consumer.Record, 0, 10)
				for _, id := range ids(10*i, 10*i+10) {
					recs = append(recs, &consumer.Record{ID: id})
				}
				for rec, err := range p.Process(r.Context(), recs) {
					if err != nil {
						r.Errorf("%s: %v", rec.ID, err)
					}
				}
			})
		}
		wg.Wait()
		r.count("fifty batches of ten", 200)
	})
}
