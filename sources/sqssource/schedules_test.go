package sqssource_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

var (
	schedules = flag.Int("schedules", usualSchedules, "how many schedules TestSchedules plays")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first of them")
)

// Whatever goes wrong on the wire, in the store and in handlers, and however
// pollers come and go: in the end each message is done, once, or is in the
// dead-letter queue because it failed for good or too often, and messages of a
// FIFO group were done in order.
func TestSchedules(t *testing.T) {
	for i := range uint64(*schedules) {
		seed := *firstSeed + i
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			s := newSchedule(seed)
			bubble(t, s.setting, func(b *bed) { s.play(b) })
		})
	}
}

// schedule is a random course of events, all of it by its seed, but for the
// order of what happens at one instant.
type schedule struct {
	rng     *rand.Rand // of what is planned
	setting setting
	calm    time.Duration // when faults end
	trouble float64       // the chance that a request meets one
	plans   map[string]*plan

	mu   sync.Mutex // guards what follows, and the plans' tries
	luck *rand.Rand // of what goes wrong
}

// plan is what becomes of one message's runs.
type plan struct {
	takes   time.Duration
	ignores bool // the end of its context
	fails   int
	err     error // nil: panics
	tries   int
}

const mostReceives = 60 // bad luck alone does not use them up

func newSchedule(seed uint64) *schedule {
	rng := rand.New(rand.NewPCG(seed, 5))
	s := &schedule{rng: rng, luck: rand.New(rand.NewPCG(seed, 6)), plans: make(map[string]*plan), calm: span(rng, 10, 90), trouble: rng.Float64() * 0.3}
	lease := span(rng, 5, 30)
	s.setting = setting{
		queue: []string{"orders", fifo}[rng.IntN(2)],
		attrs: attrs{"VisibilityTimeout": fmt.Sprint(3 + rng.IntN(28))},
		guard: dedupe.Options{Lease: lease},
		server: sqstest.Options{
			Seed: seed, Duplicate: rng.Float64() * 0.2, Redeliver: rng.Float64() * 0.2, EmptyReceive: rng.Float64() * 0.5,
			Reorder: rng.IntN(2) == 0, IgnoreStaleDelete: rng.IntN(2) == 0, LateExtend: rng.IntN(2) == 0,
		},
	}
	if rng.IntN(3) > 0 {
		s.setting.receives = mostReceives
	}
	return s
}

// span returns a whole number of seconds from least to most.
func span(rng *rand.Rand, least, most int) time.Duration {
	return time.Duration(least+rng.IntN(most-least+1)) * time.Second
}

// play sends messages, lets pollers come and go, and checks what is left.
func (s *schedule) play(b *bed) {
	groups := 1 + s.rng.IntN(6)
	for i := range 5 + s.rng.IntN(30) {
		l := fmt.Sprintf("g%d-%d", s.rng.IntN(groups), i)
		s.plans[l] = s.plan()
		b.send(l, group(l[:2]))
	}
	b.server.Fault(s.fault)
	b.store.fail(func([]dedupe.Op) error {
		if s.chance(b, s.trouble) {
			return errNo
		}
		return nil
	})
	count := 1 + s.rng.IntN(3)
	var runs []*running
	for range count {
		runs = append(runs, s.poller(b))
	}
	for b.since() < s.calm {
		time.Sleep(span(s.rng, 1, 20))
		i := s.rng.IntN(count)
		runs[i].stop()
		runs[i] = s.poller(b)
	}
	b.server.Fault(nil)
	b.store.fail(nil)
	for b.server.Stats(b.queue).Total() > 0 {
		if time.Sleep(time.Second); b.since() > 24*time.Hour {
			b.Errorf("not done within a day: %+v", b.server.Messages(b.queue))
			break
		}
	}
	for _, r := range runs {
		r.stop()
	}
	s.judge(b)
}

// plan makes up what becomes of a message.
func (s *schedule) plan() *plan {
	p := &plan{takes: time.Duration(s.rng.IntN(1000)) * time.Millisecond, ignores: s.rng.IntN(2) == 0}
	if s.rng.IntN(5) == 0 {
		p.takes = span(s.rng, 1, 15)
	}
	switch s.rng.IntN(8) {
	case 0:
		p.fails, p.err = 1+s.rng.IntN(3), errNo
	case 1:
		p.fails, p.err = 1+s.rng.IntN(3), consumer.RetryAfter(span(s.rng, 0, 20), errNo)
	case 2:
		p.fails = 1 // a panic
	case 3:
		if s.setting.receives > 0 && s.rng.IntN(2) == 0 {
			p.fails, p.err = always, consumer.Permanent(errNo)
		}
	case 4:
		if s.setting.receives > 0 && s.rng.IntN(2) == 0 {
			p.takes, p.fails, p.err = 0, always, consumer.RetryAfter(span(s.rng, 0, 2), errNo)
		}
	}
	return p
}

// handle is the handler of all pollers.
func (s *schedule) handle(ctx context.Context, rec *consumer.Record) error {
	s.mu.Lock()
	p := s.plans[string(rec.Body)]
	p.tries++
	fails := p.tries <= p.fails
	s.mu.Unlock()
	if p.ignores {
		time.Sleep(p.takes)
	} else if err := obeys(p.takes)(ctx, rec); err != nil {
		return err
	}
	if fails && p.err == nil {
		panic("a handler panics")
	}
	if fails {
		return p.err
	}
	return nil
}

// poller starts a poller as another process would have it.
func (s *schedule) poller(b *bed) *running {
	o := sqssource.Options{
		Concurrency: 1 + s.rng.IntN(20), AbandonPolls: s.rng.IntN(2) == 0, Wait: span(s.rng, 1, 20),
		TenantLimit: max(s.rng.IntN(10)-5, 0), MaxMessages: s.rng.IntN(2) * (1 + s.rng.IntN(40)), Observer: b.events,
	}
	g := s.setting.guard
	g.Consumer, g.Observer = "test", b.events
	return b.run(sqssource.New(b.client, b.url, dedupe.New(&b.store, g), b.ledger.handler(consumer.HandlerFunc(s.handle)), o))
}

// chance decides one fault while there are any.
func (s *schedule) chance(b *bed, p float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.since() < s.calm && s.luck.Float64() < p
}

// fault decides what goes wrong with one request.
func (s *schedule) fault(_ string, req sqstest.Request) (a sqstest.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.luck.Float64() >= s.trouble {
		return a
	}
	some := func(most time.Duration) time.Duration { return time.Duration(s.luck.Int64N(int64(most))) }
	switch s.luck.IntN(9) {
	case 0:
		a.DropRequest = true
	case 1:
		a.DropResponse = true
	case 2:
		a.Err = &sqstest.Error{Code: []string{"RequestThrottled", "InternalFailure", "ServiceUnavailable"}[s.luck.IntN(3)]}
	case 3:
		a.Delay = some(3 * time.Second)
	case 4:
		a.DelayResponse = some(3 * time.Second)
	case 5:
		a.Delay = some(20 * time.Second)
	case 6:
		a.Truncate = true
	case 7:
		a.CorruptMD5 = true
	default:
		a.FailEntries = make(map[int]*sqstest.Error)
		for i := range req.Entries {
			if s.luck.IntN(2) == 0 {
				a.FailEntries[i] = &sqstest.Error{Code: "InternalError"}
			}
		}
	}
	return a
}

// judge checks the end.
func (s *schedule) judge(b *bed) {
	var dead []string
	if b.dead != "" {
		for _, m := range b.server.Messages(b.dead) {
			dead = append(dead, m.Body)
			if p := s.plans[m.Body]; p.fails != always {
				b.Errorf("%s is in the dead-letter queue after %d receives and %d runs, and would have succeeded", m.Body, m.ReceiveCount, p.tries)
			}
		}
		b.left[b.dead] = b.server.Stats(b.dead).Total()
	}
	for _, l := range slices.Sorted(maps.Keys(s.plans)) {
		if n := b.ledger.finished(l); n != 1 && s.plans[l].fails != always {
			b.Errorf("%s was done %d times in %d runs, want once", l, n, b.ledger.ran(l))
		}
	}
	if b.queue == fifo {
		b.wantOrder(dead...)
	}
}
