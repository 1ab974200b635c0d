package sqssource_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// tenants counts the handlers of each message group that run at once.
type tenants struct {
	mu        sync.Mutex
	now, most map[string]int
}

func newTenants() *tenants { return &tenants{now: make(map[string]int), most: make(map[string]int)} }

func (t *tenants) handler(h consumer.HandlerFunc) consumer.HandlerFunc {
	return func(ctx context.Context, rec *consumer.Record) error {
		t.add(rec.Group, 1)
		defer t.add(rec.Group, -1)
		return h(ctx, rec)
	}
}

func (t *tenants) add(group string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now[group] += n
	t.most[group] = max(t.most[group], t.now[group])
}

// Of one tenant never more than the limit runs at once, and all of it does; the
// others do not wait for it, nor do messages of no tenant. What waits is kept
// invisible and costs no further receive.
func TestTenantLimit(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "4"}}, func(b *bed) {
		seen := newTenants()
		b.sendRange("noisy", 0, 150)
		for i := range 10 {
			b.send(fmt.Sprint("none", i))
			for g := range 3 {
				b.send(fmt.Sprint("quiet", g, "-", i), group(fmt.Sprint("quiet", g)))
			}
		}
		r := b.start(seen.handler(takes(time.Second)), sqssource.Options{Concurrency: 40, TenantLimit: 5})
		b.until("the others are done", func() bool { return b.ledger.finished("quiet2-9") == 1 && b.ledger.finished("none9") == 1 })
		if took := b.since(); took > 3*time.Second {
			b.Errorf("10 messages of each quiet tenant took %v, want 3s at most", took)
		}
		b.drain()
		if took := b.since(); took > 31*time.Second {
			b.Errorf("150 messages of 1 s took %v with 5 at once, want 31s at most", took)
		}
		for g, most := range seen.most {
			if g != "" && most != 5 {
				b.Errorf("tenant %s: got %d at once, want 5", g, most)
			}
		}
		b.once(190)
		b.wantReport(r.stop(), sqssource.Report{Received: 190, Done: 190})
	})
}

// The slots that a limited tenant does not get are for others: while its
// messages wait, the poller goes on receiving.
func TestTenantsWaitingHoldNoSlot(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendRange("noisy", 0, 30)
		b.start(takes(time.Minute), sqssource.Options{Concurrency: 4, TenantLimit: 1})
		time.Sleep(time.Second)
		for i := range 3 {
			b.send(fmt.Sprint("quiet", i), group(fmt.Sprint("quiet", i)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := b.ledger.handling(); n != 4 {
			b.Errorf("got %d handlers at once, want 4: one of each tenant", n)
		}
		b.drain()
		b.once(33)
	})
}

// Without a limit a group of a standard queue has no bounds and no order.
func TestTenantsWithoutLimit(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		seen := newTenants()
		b.sendRange("one", 0, 60)
		b.start(seen.handler(takes(time.Second)), sqssource.Options{})
		b.drain()
		if seen.most["one"] != 60 {
			b.Errorf("got %d at once, want 60", seen.most["one"])
		}
	})
}

// A failed message of a tenant returns by itself; the next takes its place.
func TestTenantFailures(t *testing.T) {
	bubble(t, setting{receives: 20}, func(b *bed) {
		seen := newTenants()
		b.sendRange("a", 0, 30)
		b.start(seen.handler(failing(2, errNo)), sqssource.Options{TenantLimit: 2})
		b.drain()
		if seen.most["a"] > 2 || b.ledger.runs() != 90 {
			b.Errorf("got %d at once and %d runs, want 2 at most and 90", seen.most["a"], b.ledger.runs())
		}
	})
}

// Messages of a tenant whose visibility is lost while they wait are given up,
// not run.
func TestTenantLostWhileWaiting(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "4"}}, func(b *bed) {
		b.sendRange("a", 0, 6)
		h := takes(5 * time.Second)
		first := b.start(h, sqssource.Options{TenantLimit: 1, MaxMessages: 6})
		time.Sleep(time.Second)
		b.breakVisibility(4 * time.Second)
		b.start(h, sqssource.Options{TenantLimit: 1})
		b.drain()
		b.once(6)
		first.stop()
		if first.report.Unsettled == 0 {
			b.Errorf("report: got %+v, want some unsettled", first.report)
		}
	})
}

// A stop releases what waits for its tenant's turn at once.
func TestTenantStop(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "300"}}, func(b *bed) {
		b.sendRange("a", 0, 100)
		r := b.start(takes(10*time.Second), sqssource.Options{TenantLimit: 3, AbandonPolls: true})
		time.Sleep(time.Second)
		synctest.Wait()
		r.cancel()
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if s := b.server.Stats(b.queue); s.Visible != 97 || s.InFlight != 3 {
			b.Errorf("50 ms after the stop: got %+v, want 97 visible", s)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 100, Done: 3, Released: 97})
		b.left[b.queue] = 97
	})
}
