package dedupe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

type receipt struct {
	Number int    `json:"number"`
	To     string `json:"to"`
}

// Do runs its function once per key, and hands what it returned to everybody
// who asks later, in this process or another, whatever key the guard gives to
// records.
func TestDo(t *testing.T) {
	store := memdedupe.New()
	var runs atomic.Int32
	for i := range 3 {
		g := dedupe.New(store, dedupe.Options{Consumer: "test", Key: dedupe.BodyHash})
		got, replayed, err := dedupe.Do(t.Context(), g, "order-1", func(context.Context) (receipt, error) {
			return receipt{int(runs.Add(1)), "a"}, nil
		})
		if want := (receipt{1, "a"}); err != nil || got != want || replayed != (i > 0) {
			t.Errorf("call %d: got %+v, replayed %v, %v, want %+v, replayed %v", i, got, replayed, err, want, i > 0)
		}
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times, want once", n)
	}
}

// No record has the key of direct work, whatever a sender writes into its
// fields.
func TestDoKeyInFieldsOfARecord(t *testing.T) {
	store := memdedupe.New()
	fields := dedupe.New(store, dedupe.Options{Consumer: "test", Key: dedupe.Field("/tenant", "/order_id")})
	rec := &consumer.Record{Body: []byte(`{"tenant":"do","order_id":"k"}`)}
	if _, err := fields.Handle(t.Context(), rec, consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return nil })); err != nil {
		t.Fatal(err)
	}
	got, replayed, err := dedupe.Do(t.Context(), fields, "k", func(context.Context) (int, error) { return 1, nil })
	if got != 1 || replayed || err != nil {
		t.Errorf("got %d, replayed %v, %v, want 1 of a run", got, replayed, err)
	}
}

// A function that fails leaves nothing behind, and runs again.
func TestDoFails(t *testing.T) {
	g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
	no := errors.New("no")
	for i := range 3 {
		_, replayed, err := dedupe.Do(t.Context(), g, "k", func(context.Context) (int, error) {
			if i < 2 {
				return 7, no
			}
			return 8, nil
		})
		if want := map[bool]error{true: no}[i < 2]; !errors.Is(err, want) || replayed {
			t.Errorf("call %d: got %v, replayed %v, want %v", i, err, replayed, want)
		}
	}
	if _, _, err := dedupe.Do(t.Context(), g, "", func(context.Context) (int, error) { return 1, nil }); !errors.Is(err, dedupe.ErrNoKey) {
		t.Errorf("got %v for an empty key, want ErrNoKey", err)
	}
	if _, _, err := dedupe.Do(t.Context(), g, "c", func(context.Context) (chan int, error) { return nil, nil }); !consumer.IsPermanent(err) {
		t.Errorf("got %v for a result that is no JSON, want a permanent error", err)
	}
}

// Calls with one key at the same time run the function once, and all get the
// same result.
func TestDoTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
		var runs, replays atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				got, replayed, err := dedupe.Do(t.Context(), g, "k", func(context.Context) (int32, error) {
					time.Sleep(time.Second)
					return 40 + runs.Add(1), nil
				})
				if got != 41 || err != nil {
					t.Errorf("got %d, %v, want 41", got, err)
				}
				if replayed {
					replays.Add(1)
				}
			})
		}
		all.Wait()
		if runs.Load() != 1 || replays.Load() != 49 {
			t.Errorf("got %d runs and %d replays, want 1 and 49", runs.Load(), replays.Load())
		}
	})
}

// A worker that was overtaken gets the result that is stored, not its own:
// everybody who asks is told the same.
func TestResultOfOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memdedupe.New()
		worker := func(hang bool) *dedupe.Guard {
			var s dedupe.Store = store
			if hang {
				s = noExtend{store}
			}
			return dedupe.New(s, dedupe.Options{Consumer: "test", Lease: 2 * time.Second})
		}
		work := func(g *dedupe.Guard, d time.Duration, result string) dedupe.Result {
			r, err := g.Handle(t.Context(), &consumer.Record{ID: "k"}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
				time.Sleep(d)
				dedupe.SetResult(ctx, []byte(result))
				return nil
			}))
			if err != nil {
				t.Errorf("%s: %v", result, err)
			}
			return r
		}
		var slow dedupe.Result
		var all sync.WaitGroup
		all.Go(func() { slow = work(worker(true), 10*time.Second, "slow") })
		time.Sleep(5 * time.Second)
		quick := work(worker(false), time.Second, "quick")
		all.Wait()
		if string(quick.Data) != "quick" || quick.Replayed || string(slow.Data) != "quick" || !slow.Replayed {
			t.Errorf("got %+v and %+v, want that both are told the quick one's", quick, slow)
		}
	})
}

// noExtend is a store that extends no lease.
type noExtend struct{ dedupe.Store }

func (s noExtend) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	if ops[0].Kind == dedupe.OpExtend {
		return nil, errors.New("no answer")
	}
	return s.Store.Apply(ctx, ops)
}

// A result that its store could not keep is told as such; the work is not done
// again. An empty result and none are different.
func TestResultLost(t *testing.T) {
	g := dedupe.New(keepsLittle{memdedupe.New()}, dedupe.Options{Consumer: "test"})
	handle := func(id string, result []byte) dedupe.Result {
		r, err := g.Handle(t.Context(), &consumer.Record{ID: id}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			if result != nil {
				dedupe.SetResult(ctx, []byte("an earlier one"))
				dedupe.SetResult(ctx, result)
			}
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		result []byte
		lost   bool
	}{{nil, false}, {[]byte{}, false}, {[]byte("small"), false}, {bytes.Repeat([]byte("x"), 100), true}} {
		id := fmt.Sprint(len(c.result), c.result == nil)
		if r := handle(id, c.result); r.Replayed || r.Lost || !bytes.Equal(r.Data, c.result) || (r.Data == nil) != (c.result == nil) {
			t.Errorf("first: got %+v, want %q", r, c.result)
		}
		r := handle(id, []byte("another"))
		if !r.Replayed || r.Lost != c.lost || !c.lost && (!bytes.Equal(r.Data, c.result) || (r.Data == nil) != (c.result == nil)) {
			t.Errorf("again: got %+v, want %q, lost %v", r, c.result, c.lost)
		}
	}
	_, _, err := dedupe.Do(t.Context(), g, "large", func(context.Context) (string, error) { return string(bytes.Repeat([]byte("x"), 100)), nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, replayed, err := dedupe.Do(t.Context(), g, "large", func(context.Context) (string, error) { return "", nil }); !errors.Is(err, dedupe.ErrResultLost) || !replayed {
		t.Errorf("got %v, want ErrResultLost", err)
	}
}

// keepsLittle is a store that keeps results of up to 50 bytes.
type keepsLittle struct{ dedupe.Store }

func (s keepsLittle) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	for i := range ops {
		if len(ops[i].Result) > 50 {
			ops[i].Result, ops[i].ResultLost = nil, true
		}
	}
	return s.Store.Apply(ctx, ops)
}

// Without a guard every call runs, and nothing is kept.
func TestDoUnguarded(t *testing.T) {
	for i := range 2 {
		got, replayed, err := dedupe.Do(t.Context(), nil, "k", func(ctx context.Context) (int, error) {
			if dedupe.SetResult(ctx, nil) {
				t.Error("kept a result without a guard")
			}
			return i, nil
		})
		if got != i || replayed || err != nil {
			t.Errorf("got %d, %v, %v, want %d", got, replayed, err, i)
		}
	}
}

// What is set before a transaction is kept with it; what is set later comes too
// late, and that is told. A function of Do that completes its own claim has its
// result, those who come later are told that there is none.
func TestResultOfTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f)
		refuse := func(context.Context, dedupe.Op) (dedupe.Verdict, error) { return dedupe.Verdict{}, errHandler }
		set := func(ctx context.Context, result string, want bool) {
			t.Helper()
			if got := dedupe.SetResult(ctx, []byte(result)); got != want {
				t.Errorf("set %q: got %v, want %v", result, got, want)
			}
		}
		for i := range 2 {
			r, err := g.Handle(t.Context(), &consumer.Record{ID: "a"}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
				set(ctx, "first", true)
				wantIs(t, dedupe.CompleteWith(ctx, f, refuse), errHandler)
				set(ctx, "second", true)
				wantIs(t, dedupe.CompleteWith(ctx, f, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					set(ctx, "during", false)
					return f.commit(ctx, op)
				}), nil)
				set(ctx, "late", false)
				return nil
			}))
			if err != nil || string(r.Data) != "second" || r.Replayed != (i > 0) {
				t.Errorf("call %d: got %+v, %v, want the result that was committed", i, r, err)
			}
		}

		for i, want := range []error{nil, dedupe.ErrResultLost} {
			got, replayed, err := dedupe.Do(t.Context(), g, "do", func(ctx context.Context) (int, error) {
				return 7, dedupe.CompleteWith(ctx, f, f.commit)
			})
			if !errors.Is(err, want) || replayed != (i > 0) || err == nil && got != 7 {
				t.Errorf("call %d: got %d, replayed %v, %v, want 7 from the first, then %v", i, got, replayed, err, dedupe.ErrResultLost)
			}
		}
	})
}

// A result that was replayed is the caller's own: who changes it changes
// nobody else's.
func TestResultOfOnesOwn(t *testing.T) {
	g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
	for range 3 {
		r, err := g.Handle(t.Context(), &consumer.Record{ID: "k"}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			dedupe.SetResult(ctx, []byte("abc"))
			return nil
		}))
		if err != nil || string(r.Data) != "abc" {
			t.Fatalf("got %q, %v, want abc", r.Data, err)
		}
		if r.Replayed {
			r.Data[0] = 'x'
		}
	}
}

// A handler may call Do with the id of its own record: the two are different
// work.
func TestDoInHandler(t *testing.T) {
	g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
	_, err := g.Handle(t.Context(), &consumer.Record{ID: "r"}, consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		_, _, err := dedupe.Do(ctx, g, rec.ID, func(context.Context) (int, error) { return 1, nil })
		return err
	}))
	if err != nil {
		t.Errorf("got %v, want both done", err)
	}
}

// A caller whose twin's own caller left gets a try of its own.
func TestDoTwinLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
		work := func(ctx context.Context) (int, error) {
			select {
			case <-time.After(time.Second):
				return 1, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		leaving, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := dedupe.Do(leaving, g, "k", work); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that left got %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if got, replayed, err := dedupe.Do(t.Context(), g, "k", work); got != 1 || replayed || err != nil {
				t.Errorf("the one that stayed got %d, %v, %v, want 1 by its own try", got, replayed, err)
			}
		})
		synctest.Wait()
		leave()
		all.Wait()
	})
}
