package oncetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/oncetest"
)

// recorder is a testing.TB that keeps what is reported.
type recorder struct {
	testing.TB
	reports []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}

// shop is a worker to be checked, right unless a test changes it.
type shop struct {
	store   dedupe.Store
	guard   *dedupe.Guard
	effects map[string]int // by idempotency key
	calls   int
}

func newShop(o dedupe.Options) *shop {
	o.Consumer = "shop"
	s := &shop{store: memdedupe.New(), effects: map[string]int{}}
	s.guard = dedupe.New(s.store, o)
	return s
}

// place passes its key on to the next system, which knows it again.
func (s *shop) place(ctx context.Context, _ *consumer.Record) error {
	claim, _ := dedupe.FromContext(ctx)
	s.calls++
	s.effects[claim.Key] = 1
	return nil
}

// placeBlindly has an effect each time.
func (s *shop) placeBlindly(context.Context, *consumer.Record) error {
	s.calls++
	return nil
}

// record is the nth delivery of the work.
func record(n int) *consumer.Record {
	return &consumer.Record{ID: fmt.Sprint("m-", n), Attempt: n, Body: []byte(`{"order_id":"o-1"}`)}
}

func (s *shop) deliver(ctx context.Context, h consumer.Handler, n int) error {
	return s.guard.Middleware()(h).HandleRecord(ctx, record(n))
}

func (s *shop) harness() oncetest.Harness {
	return oncetest.Harness{Store: s.store, Handler: consumer.HandlerFunc(s.place), Deliver: s.deliver}
}

var byOrder = dedupe.Options{Key: dedupe.Field("/order_id")}

// checked returns what Check reports, in a bubble.
func checked(t *testing.T, h func() oncetest.Harness) (reports []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		oncetest.Check(r, h())
		reports = r.reports
	})
	return reports
}

// A worker that is wired rightly passes, in each of the ways to use a guard,
// and its handler is run to the end once, or once more for Effects.
func TestRight(t *testing.T) {
	for name, c := range map[string]struct {
		options dedupe.Options
		change  func(*shop, *oncetest.Harness)
		calls   int
	}{
		"middleware":   {byOrder, func(*shop, *oncetest.Harness) {}, 1},
		"blind effect": {byOrder, func(s *shop, h *oncetest.Harness) { h.Handler = consumer.HandlerFunc(s.placeBlindly) }, 1},
		"effects": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Effects = func() int { return len(s.effects) }
		}, 2},
		"at most once": {dedupe.Options{Key: byOrder.Key, AtMostOnce: true}, func(_ *shop, h *oncetest.Harness) { h.AtMostOnce = true }, 1},
		"Do": {dedupe.Options{}, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, _ int) error {
				_, _, err := dedupe.Do(ctx, s.guard, "o-1", func(ctx context.Context) (string, error) {
					return "placed", h.HandleRecord(ctx, nil)
				})
				return err
			}
		}, 1},
		"commit in the handler": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Handler = consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
				s.calls++
				return dedupe.CompleteWith(ctx, s.store, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
					verdicts, err := s.store.Apply(ctx, []dedupe.Op{op})
					if err != nil {
						return dedupe.Verdict{}, err
					}
					return verdicts[0], nil
				})
			})
			h.Effects = func() int { return s.calls }
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s *shop
			reports := checked(t, func() oncetest.Harness {
				s = newShop(c.options)
				h := s.harness()
				c.change(s, &h)
				return h
			})
			if len(reports) > 0 {
				t.Errorf("got %q, want no report", reports)
			}
			if s.calls != c.calls {
				t.Errorf("the handler ran %d times, want %d", s.calls, c.calls)
			}
		})
	}
}

// Each mistake is reported, once, with the delivery and the words that lead to
// it.
func TestWrong(t *testing.T) {
	for name, c := range map[string]struct {
		options dedupe.Options
		change  func(*shop, *oncetest.Harness)
		want    string // parts of the report, joined by ...
	}{
		"no guard": {byOrder, func(_ *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error { return h.HandleRecord(ctx, record(n)) }
		}, "delivery 1: ...without a guard"},
		"a nil guard": {byOrder, func(s *shop, _ *oncetest.Harness) { s.guard = nil }, "delivery 1: ...without a guard"},
		"the message's id as key": {dedupe.Options{}, func(*shop, *oncetest.Harness) {},
			`delivery 2: ...another key, "v1...m-2..." after "v1...m-1..."`},
		"a key that changes when the work is done": {dedupe.Options{}, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				return s.deliver(ctx, h, max(n, 2))
			}
		}, `delivery 3: ...another key, "v1...m-3..." after "v1...m-2..."`},
		"a failure swallowed by the source": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				_ = s.deliver(ctx, h, n)
				return nil
			}
		}, "delivery 1: ...failed and was acknowledged"},
		"a failure swallowed inside the guard": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				return s.deliver(ctx, consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
					_ = h.HandleRecord(ctx, rec)
					return nil
				}), n)
			}
		}, "delivery 1: ...recorded as completed"},
		"an effect that repeats": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Handler, h.Effects = consumer.HandlerFunc(s.placeBlindly), func() int { return s.calls }
		}, "2 effects, want 1...idempotency key"},
		"no effect": {byOrder, func(_ *shop, h *oncetest.Harness) { h.Effects = func() int { return 0 } }, "0 effects, want 1"},
		"a retention that forgets": {dedupe.Options{Key: byOrder.Key, Retention: time.Millisecond}, func(*shop, *oncetest.Harness) {},
			"delivery 3: ...ran again...retention, forgotten"},
		"a store that forgets what is finished": {byOrder, func(s *shop, h *oncetest.Harness) {
			store := &forgetful{Store: s.store}
			*s = *newShopOn(store, byOrder)
			h.Store, h.Deliver = store, s.deliver
		}, "delivery 2: Store has no record of key...is it the guard's?"},
		"a store that keeps no completion": {byOrder, func(s *shop, h *oncetest.Harness) {
			store := &lazy{Store: s.store}
			*s = *newShopOn(store, byOrder)
			h.Store, h.Deliver = store, s.deliver
		}, "delivery 2: the handler succeeded and its record is PROCESSING, want COMPLETED"},
		"another store": {byOrder, func(_ *shop, h *oncetest.Harness) { h.Store = memdedupe.New() }, "delivery 1: Store has no record...guard's?"},
		"a store that completes again": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Store = &restamping{Store: s.store}
		}, "delivery 3: the record of finished work changed: Completed from"},
		"a store that fails": {byOrder, func(_ *shop, h *oncetest.Harness) { h.Store = failing{} }, "delivery 1: read the record...EOF"},
		"a handler that fails": {byOrder, func(_ *shop, h *oncetest.Harness) {
			h.Handler = consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return io.ErrNoProgress })
		}, "delivery 2: the handler failed: multiple Read calls"},
		"a handler that panics": {byOrder, func(_ *shop, h *oncetest.Harness) {
			h.Handler = consumer.HandlerFunc(func(context.Context, *consumer.Record) error { panic("at the disco") })
		}, "delivery 2: the handler failed: it panicked"},
		"a source that fails what is done": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				return errors.Join(s.deliver(ctx, h, n), io.ErrClosedPipe)
			}
		}, "delivery 2: the handler succeeded and the delivery failed: io:"},
		"a source that fails duplicates": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				if err := s.deliver(ctx, h, n); err != nil || n < 4 {
					return err
				}
				return io.ErrClosedPipe
			}
		}, "delivery 4: the work was finished and its delivery failed: io:"},
		"work that was done before": {byOrder, func(s *shop, _ *oncetest.Harness) {
			_ = s.deliver(context.Background(), consumer.HandlerFunc(s.place), 0)
		}, "delivery 1: acknowledged without a run: is the work new"},
		"a record without a key": {dedupe.Options{Key: dedupe.Field("/missing")}, func(*shop, *oncetest.Harness) {},
			"delivery 1: did not reach the handler...missing"},
		"two runs at once": {byOrder, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				return errors.Join(s.deliver(ctx, h, n), s.deliver(ctx, h, n))
			}
		}, "delivery 1: the handler ran 2 times in one delivery"},
		"two works at once": {dedupe.Options{}, func(s *shop, h *oncetest.Harness) {
			h.Deliver = func(ctx context.Context, h consumer.Handler, n int) error {
				return errors.Join(s.deliver(ctx, h, 1), s.deliver(ctx, h, 2))
			}
		}, "delivery 1: ...another key"},
		"at most once": {dedupe.Options{Key: byOrder.Key, AtMostOnce: true}, func(*shop, *oncetest.Harness) {},
			"delivery 1: ...parked...set Harness.AtMostOnce"},
	} {
		t.Run(name, func(t *testing.T) {
			reports := checked(t, func() oncetest.Harness {
				s := newShop(c.options)
				h := s.harness()
				c.change(s, &h)
				return h
			})
			if len(reports) != 1 {
				t.Fatalf("got %q, want one report", reports)
			}
			rest := reports[0]
			for part := range strings.SplitSeq("oncetest: "+c.want, "...") {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Fatalf("got %q, want %q", reports[0], c.want)
				}
				rest = after
			}
		})
	}
}

func newShopOn(store dedupe.Store, o dedupe.Options) *shop {
	s := newShop(o)
	o.Consumer = "shop"
	s.store, s.guard = store, dedupe.New(store, o)
	return s
}

// forgetful is a store that is emptied by each completion.
type forgetful struct {
	dedupe.Store
	mu sync.Mutex
}

func (f *forgetful) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	verdicts, err := f.Store.Apply(ctx, ops)
	for _, op := range ops {
		if op.Kind == dedupe.OpComplete {
			f.Store = memdedupe.New()
		}
	}
	return verdicts, err
}

// lazy is a store that says it has recorded completions.
type lazy struct{ dedupe.Store }

func (l *lazy) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	verdicts := make([]dedupe.Verdict, len(ops))
	for i, op := range ops {
		if op.Kind == dedupe.OpComplete {
			verdicts[i].Outcome = dedupe.Applied
			continue
		}
		vs, err := l.Store.Apply(ctx, ops[i:i+1])
		if err != nil {
			return nil, err
		}
		verdicts[i] = vs[0]
	}
	return verdicts, nil
}

// restamping is a store that tells the time when it is asked for that of the
// completion.
type restamping struct{ dedupe.Store }

func (r *restamping) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	verdicts, err := r.Store.Apply(ctx, ops)
	for i := range verdicts {
		if verdicts[i].Row.State == dedupe.Completed {
			verdicts[i].Row.Completed = dedupe.MillisOf(time.Now())
		}
	}
	return verdicts, err
}

// failing is a store that cannot be reached.
type failing struct{}

func (failing) Apply(context.Context, []dedupe.Op) ([]dedupe.Verdict, error) { return nil, io.EOF }

// What is missing in a Harness panics when it is wired.
func TestPanics(t *testing.T) {
	full := newShop(byOrder).harness()
	for name, change := range map[string]func(*oncetest.Harness){
		"Store":   func(h *oncetest.Harness) { h.Store = nil },
		"Handler": func(h *oncetest.Harness) { h.Handler = nil },
		"Deliver": func(h *oncetest.Harness) { h.Deliver = nil },
		"Effects": func(h *oncetest.Harness) { h.AtMostOnce, h.Effects = true, func() int { return 0 } },
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "oncetest: ") || !strings.Contains(p, name) {
					t.Errorf("%s: panic %q, want one of this package that names it", name, p)
				}
			}()
			h := full
			change(&h)
			oncetest.Check(t, h)
		}()
	}
}

// It works in real time as well, where a millisecond passes by itself.
func TestRealTime(t *testing.T) { oncetest.Check(t, newShop(byOrder).harness()) }
