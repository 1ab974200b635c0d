package batch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// From the moment on at which Drain is closed, be it while a claim is on the
// way, nothing starts; what runs goes on to its end, and what has not started
// comes back unclaimed. So it is in calls that are made later.
func TestDrain(t *testing.T) {
	for _, when := range []time.Duration{0, 25 * time.Millisecond, 75 * time.Millisecond, 130 * time.Millisecond} {
		for _, ordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %v, ordered=%v", when, ordered), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, l, drain := newStore(50*time.Millisecond), newLedger(), make(chan struct{})
					p := batch.New(guard(s), l.handler(obeys(50*time.Millisecond)), batch.Options{Concurrency: 4, Drain: drain})
					time.AfterFunc(when, func() { close(drain) })
					recs := records(20)
					for i, rec := range recs {
						rec.Ordered, rec.Group = ordered, fmt.Sprint("g", i%3)
					}
					checkDrained(t, s, l, process(context.Background(), t, p, recs), when)
					checkDrained(t, s, l, process(context.Background(), t, p, []*consumer.Record{{ID: "later"}}), when)
				})
			})
		}
	}
}

// checkDrained checks a batch that was drained some time after its start.
func checkDrained(t *testing.T, s *store, l *ledger, out outcomes, when time.Duration) {
	t.Helper()
	for rec, err := range out.err {
		at, ran := l.starts[rec.ID]
		switch {
		case ran && at > when:
			t.Errorf("%s started after %v, drained after %v", rec.ID, at, when)
		case ran && err != nil:
			t.Errorf("%s ran: got %v, want nil", rec.ID, err)
		case !ran && !errors.Is(err, batch.ErrDraining) && !errors.Is(err, batch.ErrGroupFailed):
			t.Errorf("%s did not run: got %v, want ErrDraining, or ErrGroupFailed behind such a one", rec.ID, err)
		}
	}
	if n := s.states()[dedupe.Processing]; n != 0 {
		t.Errorf("%d rows are still PROCESSING", n)
	}
}

// Nothing starts either when Drain was closed during a claim and the caller
// takes its time over an outcome that came with it.
func TestDrainDuringClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l, drain := newStore(50*time.Millisecond), newLedger(), make(chan struct{})
		recs := records(5)
		process(t.Context(), t, batch.New(guard(s), l.handler(takes(0)), batch.Options{}), recs[:1])
		p := batch.New(guard(s), l.handler(takes(0)), batch.Options{Drain: drain})
		time.AfterFunc(25*time.Millisecond, func() { close(drain) })
		for rec, err := range p.Process(t.Context(), recs) {
			time.Sleep(10 * time.Millisecond)
			if rec == recs[0] && err != nil {
				t.Errorf("the duplicate: got %v, want nil", err)
			}
			if rec != recs[0] {
				wantNotStarted(t, err, batch.ErrDraining)
			}
		}
		if n := len(l.order); n != 1 {
			t.Errorf("got %d runs, want none after Drain was closed, and one before", n)
		}
	})
}

// Once Drain is closed nothing is started, whether claims are made ahead or
// just before the handlers, while the handler that runs goes on: what was
// reported as not started never runs.
func TestDrainLateClaims(t *testing.T) {
	for _, atMostOnce := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, l := newStore(0), newLedger()
			drain := make(chan struct{})
			p := batch.New(dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: atMostOnce}), l.handler(
				func(_ context.Context, rec *consumer.Record) error {
					if rec.ID == "r00000" {
						close(drain)
					}
					time.Sleep(time.Second)
					return nil
				}), batch.Options{Concurrency: 1, Drain: drain})
			recs := records(5)
			out := process(t.Context(), t, p, recs)
			for i, rec := range recs {
				if i == 0 && (out.err[rec] != nil || l.runs[rec.ID] != 1) {
					t.Errorf("at most once %v: %s, which ran already: %d runs, %v", atMostOnce, rec.ID, l.runs[rec.ID], out.err[rec])
				}
				if i > 0 {
					wantNotStarted(t, out.err[rec], batch.ErrDraining)
				}
				if i > 0 && l.runs[rec.ID] != 0 {
					t.Errorf("at most once %v: %s ran, and was reported as not started", atMostOnce, rec.ID)
				}
			}
		})
	}
}
