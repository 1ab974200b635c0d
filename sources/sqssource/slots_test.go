package sqssource_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// Two busy queues get half of the slots each.
func TestSlotsTwoBusyQueues(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		b.sendManyTo(b.url, "a", 700)
		b.sendManyTo(other, "b", 700)
		slots := sqssource.NewSlots(20)
		b.start(takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		b.startOn(other, takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		a, all := 0, b.ledger.runs()
		for _, name := range b.ledger.order {
			if strings.HasPrefix(name, "a") {
				a++
			}
		}
		if all < 900 || a < all*45/100 || a > all*55/100 {
			b.Errorf("in 5s: got %d runs, %d of them of the first queue; want 950 or so and the half", all, a)
		}
		if b.ledger.peak != 20 {
			b.Errorf("got %d handlers at once, want 20", b.ledger.peak)
		}
		b.until("both are empty", func() bool { return b.server.Stats("orders").Total()+b.server.Stats("other").Total() == 0 })
	})
}

// A queue with a trickle does not wait for a busy one, which gets the other
// slots.
func TestSlotsTrickleBesideBusyQueue(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		slots := sqssource.NewSlots(10)
		b.start(takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		thrifty := &meter{Client: b.client.Client}
		b.run(sqssource.New(thrifty, other, b.guard, b.ledger.handler(takes(100*time.Millisecond)), sqssource.Options{Slots: slots}))
		for i := range 3 { // beside an idle queue
			time.Sleep(5 * time.Second)
			b.sendTo(other, fmt.Sprint("c", i))
		}
		time.Sleep(time.Second)
		b.sendManyTo(b.url, "a", 2100)
		time.Sleep(time.Second)
		busy := b.ledger.runs()
		var late []time.Duration
		for i := range 20 {
			name := fmt.Sprint("b", i)
			b.sendTo(other, name)
			at := b.since()
			time.Sleep(time.Second)
			synctest.Wait()
			if b.ledger.ran(name) != 1 {
				b.Fatalf("%s did not start within a second", name)
			}
			late = append(late, b.ledger.starts[name][0]-at)
		}
		if m := slices.Max(late); m > 150*time.Millisecond {
			b.Errorf("a message beside a busy queue waited up to %v, want at most 150ms: %v", m, late)
		}
		if n := b.ledger.runs() - busy; n < 1600 {
			b.Errorf("in 20s: got %d runs, want 1600 at least of the 1800 that 9 slots allow beside a scout", n)
		}
		if thrifty.mostAsked > 2 {
			b.Errorf("a receive of the queue with a trickle asked for %d slots, want 2 at most", thrifty.mostAsked)
		}
		b.drain()
	})
}

// Slots are shared by number: long handlers do not take those of short ones,
// nor get too few because many of those end at once.
func TestSlotsLongAndShortHandlers(t *testing.T) {
	for _, n := range []int{20, 10} {
		bubble(t, setting{}, func(b *bed) {
			other := b.create("other", nil)
			b.sendManyTo(b.url, "a", 150*n)
			slots := sqssource.NewSlots(n)
			b.start(takes(50*time.Millisecond), sqssource.Options{Slots: slots})
			long := b.startOn(other, takes(20*time.Second), sqssource.Options{Slots: slots})
			time.Sleep(time.Second)
			b.sendManyTo(other, "b", n)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if got := long.poller.Status().Handling; got < n/2-1 || got > n/2+1 {
				b.Errorf("long handlers have %d of %d slots beside short ones, want half", got, n)
			}
			b.until("both are empty", func() bool { return b.server.Stats("orders").Total()+b.server.Stats("other").Total() == 0 })
		})
	}
}

// When all slots are free at once they are parted, not given to who comes
// first: what it does with them may take long.
func TestSlotsFreeAtOnce(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		b.sendManyTo(b.url, "a", 80)
		b.sendManyTo(other, "b", 80)
		slots := sqssource.NewSlots(10)
		handler := func(context.Context, *consumer.Record) error {
			at := b.since()
			time.Sleep(at.Truncate(time.Second) + time.Second - at) // all end with the second
			if at >= 5*time.Second && at < 6*time.Second {
				time.Sleep(time.Minute)
			}
			return nil
		}
		first := b.start(handler, sqssource.Options{Slots: slots})
		second := b.startOn(other, handler, sqssource.Options{Slots: slots})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n, m := first.poller.Status().Handling, second.poller.Status().Handling; n < 4 || m < 4 {
			b.Errorf("got %d and %d of 10 slots, want half each", n, m)
		}
		b.until("both are empty", func() bool { return b.server.Stats("orders").Total()+b.server.Stats("other").Total() == 0 })
	})
}

// When one queue runs dry, its slots pass to the other at once, not after a
// long poll.
func TestSlotsPassOnWhenAQueueRunsDry(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		slots := sqssource.NewSlots(30)
		b.start(takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		b.startOn(other, takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		time.Sleep(time.Minute)
		b.sendManyTo(b.url, "a", 300)
		b.drain()
		b.sendManyTo(other, "b", 300)
		dry := b.since()
		b.until("the other is done", func() bool { return b.server.Stats("other").Total() == 0 })
		if took := b.since() - dry; took > 3*time.Second {
			b.Errorf("300 messages of 100 ms with 30 slots took %v after the other queue ran dry, want at most 3s", took)
		}
	})
}

// A poller that has ended leaves its slots to the others.
func TestSlotsOfAPollerThatEnded(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		slots := sqssource.NewSlots(10)
		first := b.startOn(other, takes(time.Second), sqssource.Options{Slots: slots})
		b.start(takes(time.Second), sqssource.Options{Slots: slots})
		time.Sleep(time.Minute)
		first.stop()
		b.sendMany(100)
		began := b.since()
		b.drain()
		if took := b.since() - began; took > 11*time.Second {
			b.Errorf("100 messages of 1 s took %v with 10 slots, want at most 11s", took)
		}
	})
}
