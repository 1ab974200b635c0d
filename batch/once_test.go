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

// A consumer that runs things at most once claims each record just before its
// handler: a claim that waited could park a record that never ran.
func TestAtMostOnceClaimsLate(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, l := newStore(0), newLedger()
			g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: true})
			p := batch.New(g, l.handler(func(_ context.Context, rec *consumer.Record) error {
				row := s.row(rec.ID)
				if age := time.Since(row.Created.Time()); row.State != dedupe.Processing || age > time.Millisecond {
					t.Errorf("%s runs, its row is %v since %v", rec.ID, row.State, age)
				}
				time.Sleep(time.Second)
				return nil
			}), batch.Options{Concurrency: 3})
			recs := records(30)
			for i, rec := range recs {
				rec.Ordered, rec.Group = ordered, fmt.Sprint(i%5)
			}
			process(t.Context(), t, p, recs).done(t)
			if took := time.Since(l.began); took > 13*time.Second { // groups end unevenly
				t.Errorf("took %v, want 10s to 12s", took)
			}
		})
	}
}

// A run that failed parks its record, which then fails until a person
// decides; its neighbours are not concerned, nor are records that were not
// started.
func TestAtMostOnceParks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(roundTrip), newLedger()
		g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: true})
		p := batch.New(g, l.handler(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "a2" {
				panic("never again")
			}
			return nil
		}), batch.Options{})
		recs := fifo("a1", "a2", "a3", "b1")
		for range 2 {
			out := process(t.Context(), t, p, recs)
			if err := out.err[recs[1]]; !errors.Is(err, dedupe.ErrParked) {
				t.Errorf("a2: got %v, want %v", err, dedupe.ErrParked)
			}
			wantNotStarted(t, out.err[recs[2]], batch.ErrGroupFailed)
			if out.err[recs[0]] != nil || out.err[recs[3]] != nil {
				t.Errorf("got %v, want that a1 and b1 are done", out.err)
			}
		}
		if l.ran("a2") != 1 || s.state("a2") != dedupe.Parked || s.state("a3") != dedupe.Absent {
			t.Errorf("a2: %d runs, %v; a3: %v", l.ran("a2"), s.state("a2"), s.state("a3"))
		}
	})
}

// Twins and finished records need no slot for long, however late claims are
// made.
func TestAtMostOnceDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		g := dedupe.New(newStore(0), dedupe.Options{Consumer: "test", AtMostOnce: true})
		p := batch.New(g, l.handler(takes(time.Second)), batch.Options{Concurrency: 2})
		recs := records(100)
		for i, rec := range recs {
			rec.ID = fmt.Sprintf("k%02d", i/50)
		}
		for range 2 {
			process(t.Context(), t, p, recs).done(t)
		}
		if len(l.order) != 2 || time.Since(l.began) > 1100*time.Millisecond {
			t.Errorf("%d runs in %v, want 2 in 1s", len(l.order), time.Since(l.began))
		}
	})
}
