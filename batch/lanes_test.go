package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Records of one group run in their order and never two at once; groups run
// side by side.
func TestLanesKeepOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(newStore(0)), l.handler(takes(100*time.Millisecond)), batch.Options{})
		process(t.Context(), t, p, fifo("a1", "b1", "a2", "c1", "b2", "a3", "c2", "b3", "c3")).done(t)
		for _, group := range "abc" {
			for i := 1; i < 3; i++ {
				before, after := fmt.Sprintf("%c%d", group, i), fmt.Sprintf("%c%d", group, i+1)
				if l.starts[after] < l.ends[before] {
					t.Errorf("%s started at %v, %s ended at %v", after, l.starts[after], before, l.ends[before])
				}
			}
		}
		if took := time.Since(l.began); took > 310*time.Millisecond || l.peak != 3 {
			t.Errorf("took %v with %d at once, want 300 ms with 3", took, l.peak)
		}
	})
}

// A long group does not hold up the groups that stand behind it.
func TestLongLaneBesideOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var ids []string
		for _, group := range "ab" {
			for i := range 100 {
				ids = append(ids, fmt.Sprintf("%c%03d", group, i))
			}
		}
		l := newLedger()
		process(t.Context(), t, batch.New(guard(newStore(0)), l.handler(takes(time.Second)), batch.Options{}), fifo(ids...)).done(t)
		if took := time.Since(l.began); took > 101*time.Second {
			t.Errorf("two groups of 100 s took %v", took)
		}
	})
}

// A group goes on only when the completion before it is recorded.
func TestLaneWaitsForTheCompletion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(time.Second), newLedger()
		p := batch.New(guard(s), l.handler(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "a2" && s.state("a1") != dedupe.Completed {
				t.Errorf("a2 runs while a1 is %v", s.state("a1"))
			}
			return nil
		}), batch.Options{})
		process(t.Context(), t, p, fifo("a1", "a2")).done(t)
		if got := l.starts["a2"] - l.ends["a1"]; got < time.Second {
			t.Errorf("a2 started %v after a1 ended, the completion takes 1s", got)
		}
	})
}

// A completion that is not recorded stops the group like a failure.
func TestLaneStopsWhenTheCompletionIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(0), newLedger()
		s.before = func(ops []dedupe.Op) error {
			if ops[0].Kind == dedupe.OpComplete {
				return errDown
			}
			return nil
		}
		recs := fifo("a1", "a2")
		out := process(t.Context(), t, batch.New(guard(s), l.handler(takes(0)), batch.Options{}), recs)
		if err := out.err[recs[0]]; !errors.Is(err, errDown) {
			t.Errorf("a1: got %v, want %v", err, errDown)
		}
		wantNotStarted(t, out.err[recs[1]], batch.ErrGroupFailed)
		if l.ran("a2") != 0 {
			t.Error("a2 ran")
		}
	})
}

// A failed record stops the rest of its group and nothing else: what was not
// started is reported so and free to claim.
func TestFailureStopsItsLane(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newStore(roundTrip), newLedger()
		p := batch.New(guard(s), l.handler(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "a2" {
				return errHandler
			}
			return nil
		}), batch.Options{})
		recs := fifo("a1", "b1", "a2", "b2", "a3", "a4", "b3")
		out := process(t.Context(), t, p, recs)
		for _, rec := range recs {
			err, want := out.err[rec], dedupe.Completed
			switch rec.ID {
			case "a2":
				want = dedupe.Failed
				if !errors.Is(err, errHandler) {
					t.Errorf("a2: got %v", err)
				}
			case "a3", "a4":
				want = dedupe.Failed
				wantNotStarted(t, err, batch.ErrGroupFailed)
				if l.ran(rec.ID) != 0 {
					t.Errorf("%s ran", rec.ID)
				}
			default:
				if err != nil {
					t.Errorf("%s: %v", rec.ID, err)
				}
			}
			if got := s.state(rec.ID); got != want {
				t.Errorf("%s: its row is %v, want %v", rec.ID, got, want)
			}
		}
	})
}

// What cannot be admitted in the middle of a group stops what comes after it,
// not what came before.
func TestUnreadableRecordInALane(t *testing.T) {
	cases := map[string]func(rec *consumer.Record){
		"no key":  func(rec *consumer.Record) { rec.ID = "" },
		"refused": func(rec *consumer.Record) { rec.Body = []byte("refuse") },
		"panic":   func(rec *consumer.Record) { rec.Body = []byte("panic") },
	}
	decode := func(rec *consumer.Record) error {
		switch string(rec.Body) {
		case "refuse":
			return errHandler
		case "panic":
			panic("decoder")
		}
		return nil
	}
	for _, late := range []bool{false, true} {
		for name, spoil := range cases {
			t.Run(fmt.Sprintf("%s, late=%v", name, late), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					l := newLedger()
					g := dedupe.New(newStore(roundTrip), dedupe.Options{Consumer: "test", AtMostOnce: late})
					p := batch.New(g, l.handler(takes(time.Second)), batch.Options{Decode: decode})
					recs := fifo("a1", "a2", "a3", "a4", "b1")
					spoil(recs[2])
					out := process(t.Context(), t, p, recs)
					if out.err[recs[2]] == nil {
						t.Error("a3 was acknowledged")
					}
					wantNotStarted(t, out.err[recs[3]], batch.ErrGroupFailed)
					for _, i := range []int{0, 1, 4} {
						if err := out.err[recs[i]]; err != nil {
							t.Errorf("%s: %v", recs[i].ID, err)
						}
					}
					slices.Sort(l.order)
					if want := []string{"a1", "a2", "b1"}; !slices.Equal(l.order, want) {
						t.Errorf("handlers ran for %v, want %v", l.order, want)
					}
				})
			})
		}
	}
}

// With StopOnFailure a failed record of an ordered source stops what stands
// behind it, whatever its group: what runs is left to end, and nothing else is
// started.
func TestStopOnFailure(t *testing.T) {
	h := func(ctx context.Context, rec *consumer.Record) error {
		if rec.Group == "b" {
			return takes(5*time.Second)(ctx, rec)
		}
		time.Sleep(time.Second)
		return errHandler
	}
	for _, late := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s, l := newStore(0), newLedger()
			g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: late})
			p := batch.New(g, l.handler(h), batch.Options{StopOnFailure: true})
			recs := fifo("a1", "b1", "a2", "b2", "b3")
			out := process(t.Context(), t, p, recs)
			if err := out.err[recs[0]]; !errors.Is(err, errHandler) {
				t.Errorf("a1: got %v, want %v", err, errHandler)
			}
			if err := out.err[recs[1]]; err != nil {
				t.Errorf("b1: got %v, want nil: it was running", err)
			}
			for _, rec := range recs[2:] {
				wantNotStarted(t, out.err[rec], batch.ErrStopped)
			}
			if len(l.order) != 2 || s.states()[dedupe.Processing] != 0 {
				t.Errorf("handlers ran for %v, rows: %v", l.order, s.states())
			}
		})
	}
}

// What waited for a slot when a record failed is not started either.
func TestStopOnFailureEmptiesTheQueue(t *testing.T) {
	for _, late := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			l := newLedger()
			g := dedupe.New(newStore(0), dedupe.Options{Consumer: "test", AtMostOnce: late})
			p := batch.New(g, l.handler(func(ctx context.Context, rec *consumer.Record) error {
				if rec.ID == "a1" {
					time.Sleep(time.Second)
					return errHandler
				}
				return takes(5*time.Second)(ctx, rec)
			}), batch.Options{Concurrency: 2, StopOnFailure: true})
			recs := fifo("a1", "b1", "c1", "d1", "e1") // c1 may get the slot of a1
			out := process(t.Context(), t, p, recs)
			for _, rec := range recs[3:] {
				wantNotStarted(t, out.err[rec], batch.ErrStopped)
			}
			if l.ran("d1")+l.ran("e1") > 0 {
				t.Errorf("handlers ran for %v", l.order)
			}
		})
	}
}

// What stands before a record that can never be read is not stopped by it:
// delivered together again and again, it would never run.
func TestStopOnFailureSparesWhatStandsBefore(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, n := range []int{1, 2, 10} {
			bubble(t, func(t *testing.T) {
				s, l := newStore(roundTrip), newLedger()
				g := dedupe.New(s, dedupe.Options{Consumer: "test", AtMostOnce: late})
				p := batch.New(g, l.handler(takes(time.Second)), batch.Options{Concurrency: n, StopOnFailure: true})
				recs := fifo("b1", "a1", "b2", "a2", "b3", "a3", "c1")
				recs[3].ID = "" // no key
				out := process(t.Context(), t, p, recs)
				for _, rec := range recs[:3] {
					if err := out.err[rec]; err != nil {
						t.Errorf("%s: got %v, want nil", rec.ID, err)
					}
				}
				if err := out.err[recs[3]]; !errors.Is(err, dedupe.ErrNoKey) {
					t.Errorf("a2: got %v, want %v", err, dedupe.ErrNoKey)
				}
				for _, rec := range recs[4:] {
					if l.ran(rec.ID) == 0 && rec.Group != "a" {
						wantNotStarted(t, out.err[rec], batch.ErrStopped)
					}
				}
				if n := s.states()[dedupe.Processing]; n != 0 || l.ran("a3") != 0 {
					t.Errorf("%d rows are still PROCESSING, a3 ran %d times", n, l.ran("a3"))
				}
			})
		}
	}
}

// StopOnFailure is for ordered sources only.
func TestStopOnFailureWithoutOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if rec.ID == "r00000" {
				return errHandler
			}
			return nil
		}), batch.Options{Concurrency: 1, StopOnFailure: true})
		recs := records(3)
		out := process(t.Context(), t, p, recs)
		if out.err[recs[0]] == nil || out.err[recs[1]] != nil || out.err[recs[2]] != nil {
			t.Errorf("got %v, want that only the first fails", out.err)
		}
	})
}

// A group without order, as fair queues have it, is no lane.
func TestGroupWithoutOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		recs := fifo("a1", "a2", "a3", "a4", "a5")
		for _, rec := range recs {
			rec.Ordered = false
		}
		process(t.Context(), t, batch.New(guard(newStore(0)), l.handler(takes(time.Second)), batch.Options{}), recs).done(t)
		if l.peak != 5 {
			t.Errorf("handlers at once: got %d, want 5", l.peak)
		}
	})
}
