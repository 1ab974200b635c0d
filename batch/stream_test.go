package batch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// An outcome is yielded as soon as it is known, while slower records run.
func TestOutcomesStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			if rec.ID == "r00000" {
				return takes(time.Minute)(ctx, rec)
			}
			return takes(time.Second)(ctx, rec)
		}), batch.Options{})
		recs := records(3)
		out := process(t.Context(), t, p, recs)
		out.done(t)
		if out.order[2] != recs[0] || out.at[recs[1]] > 1100*time.Millisecond || out.at[recs[2]] > 1100*time.Millisecond {
			t.Errorf("yielded at %v", out.at)
		}
	})
}

// What is known is yielded before the next claims are answered.
func TestOutcomesDoNotWaitForClaims(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refuses := func(rec *consumer.Record) error {
			if rec.ID == "r00000" {
				return errHandler
			}
			return nil
		}
		p := batch.New(guard(newStore(time.Second)), takes(0), batch.Options{Concurrency: 1, Decode: refuses})
		recs := records(4)
		out := process(t.Context(), t, p, recs)
		for i, want := range []time.Duration{0, 2 * time.Second} { // at once; claimed and completed
			if got := out.at[recs[i]]; got < want || got > want+10*time.Millisecond {
				t.Errorf("%s was yielded after %v, want %v", recs[i].ID, got, want)
			}
		}
	})
}

// Leaving the loop cancels the handlers, gives back what was claimed, and
// waits for both.
func TestLeavingTheLoop(t *testing.T) {
	left := errors.New("left")
	ways := map[string]func(loop func(func(*consumer.Record, error) bool)){
		"break": func(loop func(func(*consumer.Record, error) bool)) {
			for range loop {
				break
			}
		},
		"panic": func(loop func(func(*consumer.Record, error) bool)) {
			defer func() {
				if v := recover(); v != left {
					panic(v)
				}
			}()
			for range loop {
				panic(left)
			}
		},
	}
	for name, leave := range ways {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late=%v", name, late), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, l := newStore(roundTrip), newLedger()
					var seen consumer.BatchDone
					g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: late})
					p := batch.New(g, l.handler(func(ctx context.Context, rec *consumer.Record) error {
						if rec.ID == "a1" {
							return nil
						}
						<-ctx.Done()
						time.Sleep(time.Second)
						return nil
					}), batch.Options{Concurrency: 3, Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
						if d, ok := e.(consumer.BatchDone); ok {
							seen = d
						}
					})})
					recs := fifo("a1", "b1", "b2", "b3", "c1", "d1", "e1", "e2", "b4", "a2")
					leave(p.Process(t.Context(), recs))
					if n := l.running.Load(); n != 0 {
						t.Errorf("%d handlers still run", n)
					}
					if n := s.states()[dedupe.Processing]; n != 0 {
						t.Errorf("%d rows are still PROCESSING", n)
					}
					if seen.Records != 10 || seen.Done+seen.Failed != 10 {
						t.Errorf("got %+v, want ten records in it", seen)
					}
					if took := time.Since(l.began); took > 2*time.Second {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

// A handler that does not return is not waited for by a caller that left.
func TestLeavingAHandlerBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID != "r00000" {
				time.Sleep(time.Hour)
			}
			return nil
		}), batch.Options{Reserve: 4 * time.Second})
		began := time.Now()
		for range p.Process(t.Context(), records(2)) {
			break
		}
		if took := time.Since(began); took < 4*time.Second || took > 4010*time.Millisecond {
			t.Errorf("returned after %v, want 4s: the reserve", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A caller that is slow to come back for more still has its answers before
// the deadline.
func TestSlowReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID != "r00000" {
				time.Sleep(time.Hour)
			}
			return nil
		}), batch.Options{Reserve: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began, n := time.Now(), 0
		for range p.Process(ctx, records(3)) {
			if n++; n == 1 {
				time.Sleep(8900 * time.Millisecond)
			}
		}
		if took := time.Since(began); n != 3 || took > 9100*time.Millisecond {
			t.Errorf("%d outcomes in %v, want 3 in 9s", n, took)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A sequence may be read twice: the second time, all is done already.
func TestReadingTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(newStore(0)), l.handler(takes(time.Second)), batch.Options{})
		seq := p.Process(t.Context(), records(5))
		for range 2 {
			n := 0
			for rec, err := range seq {
				if n++; err != nil {
					t.Errorf("%s: %v", rec.ID, err)
				}
			}
			if n != 5 {
				t.Errorf("%d outcomes, want 5", n)
			}
		}
		if len(l.order) != 5 {
			t.Errorf("%d handlers ran, want 5", len(l.order))
		}
	})
}

// Nothing is begun before the sequence is read, and nothing is left running
// after it.
func TestProcessIsLazy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(0)
		p := batch.New(guard(s), takes(0), batch.Options{})
		seq := p.Process(t.Context(), records(5))
		synctest.Wait()
		if s.calls != 0 {
			t.Errorf("%d calls of the store before the first read", s.calls)
		}
		for range seq {
		}
	})
}
