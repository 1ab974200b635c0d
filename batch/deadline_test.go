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

// Nothing is started in the reserve, everything is answered before the
// deadline, and what was not started is free to claim at once: 20 records of
// 300 ms with one second left.
func TestNothingStartsInTheReserve(t *testing.T) {
	for _, n := range []int{1, 10} {
		for _, late := range []bool{false, true} {
			for name, h := range map[string]consumer.HandlerFunc{
				"obeys": obeys(300 * time.Millisecond), "ignores": takes(300 * time.Millisecond),
			} {
				t.Run(fmt.Sprintf("concurrency %d, late=%v, %s", n, late, name), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						s, l := newStore(roundTrip), newLedger()
						g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: late})
						p := batch.New(g, l.handler(h), batch.Options{Concurrency: n})
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						recs := records(20)
						out := process(ctx, t, p, recs)
						if took := time.Since(l.began); took >= time.Second {
							t.Errorf("answered after %v", took)
						}
						time.Sleep(time.Second)
						checkReserve(t, s, l, out, recs)
						if !late || name == "ignores" {
							process(t.Context(), t, p, recs).done(t)
						}
						for _, rec := range recs {
							if late && name == "obeys" {
								continue // a run that was cut short is parked
							}
							if l.ran(rec.ID) > 2 || s.state(rec.ID) != dedupe.Completed {
								t.Errorf("%s: %d runs, its row is %v", rec.ID, l.ran(rec.ID), s.state(rec.ID))
							}
						}
					})
				})
			}
		}
	}
}

// checkReserve checks outcomes, starts and rows of a batch with 500 ms before
// its reserve.
func checkReserve(t *testing.T, s *store, l *ledger, out outcomes, recs []*consumer.Record) {
	t.Helper()
	for _, rec := range recs {
		if at := l.starts[rec.ID]; at >= 500*time.Millisecond {
			t.Errorf("%s started after %v", rec.ID, at)
		}
		if l.ran(rec.ID) > 0 {
			continue
		}
		wantNotStarted(t, out.err[rec], batch.ErrDeadline)
		if got := s.state(rec.ID); got != dedupe.Failed && got != dedupe.Absent {
			t.Errorf("%s was not started, its row is %v", rec.ID, got)
		}
	}
	if n := s.states()[dedupe.Processing]; n != 0 {
		t.Errorf("%d rows are still PROCESSING", n)
	}
}

// When the reserve begins the contexts of running handlers end, with the
// reason as their cause; those that return are settled as usual.
func TestReserveEndsHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, began := newStore(0), time.Now()
		p := batch.New(guard(s), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != batch.ErrDeadline {
				t.Errorf("the context ended because of %v", cause)
			}
			if at := time.Since(began); at != 8*time.Second {
				t.Errorf("the context ended after %v, want 8s", at)
			}
			time.Sleep(100 * time.Millisecond)
			if rec.ID == "r00000" {
				return nil // it made it
			}
			return errHandler
		}), batch.Options{Reserve: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		recs := records(2)
		out := process(ctx, t, p, recs)
		if err := out.err[recs[0]]; err != nil || s.state("r00000") != dedupe.Completed {
			t.Errorf("the one that succeeded: %v, its row is %v", err, s.state("r00000"))
		}
		if err := out.err[recs[1]]; !errors.Is(err, errHandler) || s.state("r00001") != dedupe.Failed {
			t.Errorf("the one that failed: %v, its row is %v", err, s.state("r00001"))
		}
	})
}

// A handler that ignores its context is reported as failed before the
// deadline, and keeps its claim; when it succeeds after all, that counts.
func TestHandlerIgnoresItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(0), newLedger()
		var given []string
		p := batch.New(dedupe.New(s, dedupe.Options{
			Consumer: "test",
			Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
				if e, ok := e.(consumer.Abandoned); ok {
					given = append(given, e.Record.ID)
				}
			}),
		}), l.handler(takes(12*time.Second)), batch.Options{Reserve: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		recs := records(1)
		out := process(ctx, t, p, recs)
		wantAbandoned(t, out.err[recs[0]], batch.ErrDeadline)
		if at := out.at[recs[0]]; at != 9*time.Second {
			t.Errorf("reported after %v, want 9s: half of the reserve before the deadline", at)
		}
		if len(given) != 1 || s.state("r00000") != dedupe.Processing {
			t.Errorf("given up: %v, the row is %v", given, s.state("r00000"))
		}
		time.Sleep(5 * time.Second)
		process(t.Context(), t, p, recs).done(t)
		if s.state("r00000") != dedupe.Completed || l.ran("r00000") != 1 {
			t.Errorf("the row is %v after %d runs", s.state("r00000"), l.ran("r00000"))
		}
	})
}

// A batch whose time is up before it begins starts nothing and claims
// nothing that it keeps.
func TestNoTimeAtAll(t *testing.T) {
	for _, left := range []time.Duration{-time.Second, 0, 1, time.Millisecond, 20 * time.Millisecond} {
		for _, reserve := range []time.Duration{0, 1, 30 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v left, reserve %v", left, reserve), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, l := newStore(roundTrip), newLedger()
					p := batch.New(guard(s), l.handler(takes(time.Hour)), batch.Options{Reserve: reserve, Concurrency: 2})
					ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(left))
					defer cancel()
					for rec, err := range process(ctx, t, p, records(20)).err {
						if l.ran(rec.ID) > 0 && (reserve != 1 || left < roundTrip) {
							t.Errorf("%s ran", rec.ID)
						} else if err == nil {
							t.Errorf("%s was acknowledged", rec.ID)
						}
					}
					if took := time.Since(l.began); took > max(left, 0)+100*time.Millisecond {
						t.Errorf("answered after %v", took)
					}
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
}

// A cancelled context ends a batch like its deadline does, with its own cause;
// handlers get the reserve to return.
func TestCancelWithoutDeadline(t *testing.T) {
	for _, late := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, l, why := newStore(0), newLedger(), errors.New("shutting down")
			g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: late})
			p := batch.New(g, l.handler(func(ctx context.Context, rec *consumer.Record) error {
				<-ctx.Done()
				if context.Cause(ctx) != why {
					t.Errorf("the context ended because of %v", context.Cause(ctx))
				}
				if rec.ID == "r00000" {
					time.Sleep(time.Hour)
				}
				return nil
			}), batch.Options{Concurrency: 2, Reserve: 10 * time.Second})
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(why) })
			recs := records(6)
			out := process(ctx, t, p, recs)
			wantAbandoned(t, out.err[recs[0]], why)
			if at := out.at[recs[0]]; at != 70*time.Second {
				t.Errorf("the one that does not return was given up after %v, want 1m10s", at)
			}
			if err, at := out.err[recs[1]], out.at[recs[1]]; err != nil || at > 61*time.Second {
				t.Errorf("the one that returns: %v after %v", err, at)
			}
			for _, rec := range recs[2:] {
				wantNotStarted(t, out.err[rec], why)
				if at := out.at[rec]; at > 61*time.Second {
					t.Errorf("%s: reported after %v, want a minute", rec.ID, at)
				}
			}
			if n := s.states()[dedupe.Processing]; n != 1 {
				t.Errorf("%d rows are PROCESSING, want that of the running handler", n)
			}
			time.Sleep(2 * time.Hour)
		})
	}
}

// An abandoned handler tells why its context ended, also in a batch that was
// stopped by something else before.
func TestAbandonedInAStoppedBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "a1" {
				return errHandler
			}
			time.Sleep(time.Hour)
			return nil
		}), batch.Options{StopOnFailure: true})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		recs := fifo("a1", "b1", "b2")
		out := process(ctx, t, p, recs)
		wantAbandoned(t, out.err[recs[1]], batch.ErrDeadline)
		wantNotStarted(t, out.err[recs[2]], batch.ErrStopped)
		time.Sleep(2 * time.Hour)
	})
}
