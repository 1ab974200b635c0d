package batch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

const roundTrip = 5 * time.Millisecond

// work is how long the handlers of the tests below take; all those of one
// test end at one instant.
var work = []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 20 * time.Millisecond}

// Ten fresh records are claimed in one call, and completed in at most two.
func TestCallsForFreshRecords(t *testing.T) {
	for _, d := range work {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(roundTrip)
				process(t.Context(), t, batch.New(guard(s), takes(d), batch.Options{}), records(10)).done(t)
				s.check(t, 3, 2)
				if s.ops[dedupe.OpClaim] != 10 || s.ops[dedupe.OpComplete] != 10 || len(s.ops) != 2 {
					t.Errorf("operations: got %v, want 10 claims and 10 completions", s.ops)
				}
			})
		})
	}
}

// Ten records that were finished before cost one call.
func TestCallsForDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(roundTrip)
		p := batch.New(guard(s), takes(time.Millisecond), batch.Options{})
		process(t.Context(), t, p, records(10)).done(t)
		s.reset()
		process(t.Context(), t, p, records(10)).done(t)
		s.check(t, 1, 1)
	})
}

// What fits into one request to DynamoDB is claimed in one call, however few
// slots there are.
func TestCallsForFewSlots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(roundTrip)
		p := batch.New(guard(s), takes(0), batch.Options{Concurrency: 2})
		process(t.Context(), t, p, records(25)).done(t)
		s.reset()
		process(t.Context(), t, p, records(25)).done(t)
		s.check(t, 1, 1)
	})
}

// A batch of five fresh records and five finished ones costs what the fresh
// ones would cost alone.
func TestCallsForHalfABatch(t *testing.T) {
	for _, d := range work {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(roundTrip)
				p := batch.New(guard(s), takes(d), batch.Options{})
				process(t.Context(), t, p, records(10)[5:]).done(t)
				s.reset()
				process(t.Context(), t, p, records(10)).done(t)
				s.check(t, 3, 2)
			})
		})
	}
}

// A thousand fresh records cost about a call for each ten of them, and few
// are in flight at once.
func TestCallsForAThousand(t *testing.T) {
	for _, d := range work {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(roundTrip)
				process(t.Context(), t, batch.New(guard(s), takes(d), batch.Options{}), records(1000)).done(t)
				s.check(t, 110, 8)
			})
		})
	}
}

// Batches that run side by side share calls too.
func TestCallsOfManyBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(roundTrip)
		p := batch.New(guard(s), takes(20*time.Millisecond), batch.Options{Concurrency: 100})
		ended := make(chan struct{})
		recs := records(100)
		for i := range 10 {
			go func() {
				for rec, err := range p.Process(context.Background(), recs[i*10:i*10+10]) {
					if err != nil {
						t.Errorf("%s: %v", rec.ID, err)
					}
				}
				ended <- struct{}{}
			}()
		}
		for range 10 {
			<-ended
		}
		s.check(t, 12, 11)
	})
}

// check fails when there were more calls, or more of them in flight.
func (s *store) check(t *testing.T, calls, peak int) {
	t.Helper()
	t.Logf("%d calls, %d in flight", s.calls, s.peak)
	if s.calls > calls {
		t.Errorf("calls of the store: got %d, want at most %d", s.calls, calls)
	}
	if s.peak > peak {
		t.Errorf("calls in flight: got %d, want at most %d", s.peak, peak)
	}
}
