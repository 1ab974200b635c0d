package sqssource_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		b.sendManyTo(b.url, "a", 2100)
		slots := sqssource.NewSlots(10)
		b.start(takes(100*time.Millisecond), sqssource.Options{Slots: slots})
		thrifty := &meter{Client: b.client.Client}
		b.run(sqssource.New(thrifty, other, b.guard, b.ledger.handler(takes(100*time.Millisecond)), sqssource.Options{Slots: slots}))
		time.Sleep(time.Second)
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
		if n := b.ledger.runs(); n < 1700 {
			b.Errorf("in 21s: got %d runs, want 1700 at least of the 1890 that 9 slots allow beside a scout", n)
		}
		if thrifty.mostAsked > 2 {
			b.Errorf("a receive of the queue with a trickle asked for %d slots, want 2 at most", thrifty.mostAsked)
		}
		b.drain()
	})
}

// Slots are shared by number: long handlers do not take those of short ones.
func TestSlotsLongAndShortHandlers(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		other := b.create("other", nil)
		b.sendManyTo(b.url, "a", 1200)
		b.sendManyTo(other, "b", 60)
		slots := sqssource.NewSlots(20)
		b.start(takes(50*time.Millisecond), sqssource.Options{Slots: slots})
		long := b.startOn(other, takes(time.Second), sqssource.Options{Slots: slots})
		time.Sleep(3 * time.Second)
		most := 0
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			most = max(most, long.poller.Status().Handling)
		}
		if most > 13 {
			b.Errorf("got %d of 20 slots with long handlers, want half or so", most)
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
