package sqssource_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// breakVisibility breaks all requests that change visibility timeouts until
// some time has passed.
func (b *bed) breakVisibility(d time.Duration) {
	b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
		return sqstest.Action{DropRequest: op == "ChangeMessageVisibilityBatch"}
	})
	time.AfterFunc(d, func() { b.server.Fault(nil) })
}

// short has a visibility timeout of four seconds.
func short(queue string) setting {
	return setting{queue: queue, attrs: attrs{"VisibilityTimeout": "4"}, guard: dedupe.Options{Lease: 4 * time.Second}}
}

// When a whole group's visibility is lost while it waits behind its head, none
// of its messages runs before an earlier one, whichever poller has them next.
func TestFIFOGroupLostWhileHeadRuns(t *testing.T) {
	for _, pollers := range []int{1, 2} {
		for name, h := range map[string]consumer.HandlerFunc{"obeys": obeys(3 * time.Second), "ignores": takes(3 * time.Second)} {
			t.Run(fmt.Sprint(name, pollers), func(t *testing.T) {
				bubble(t, short(fifo), func(b *bed) {
					b.sendGroups(2, 8)
					for range pollers {
						b.start(h, sqssource.Options{})
					}
					time.Sleep(time.Second)
					b.breakVisibility(9 * time.Second)
					b.drain()
					b.wantOrder()
				})
			})
		}
	}
}

// When one message in the middle of a group is lost, what stands before it is
// done first, and what stands behind it afterwards, wherever it is.
func TestFIFOOneLostInTheMiddle(t *testing.T) {
	for _, bare := range []bool{false, true} {
		bubble(t, setting{queue: fifo, noGuard: bare, attrs: attrs{"VisibilityTimeout": "4"}}, func(b *bed) {
			b.repeats = bare
			b.sendGroups(1, 8)
			lost := b.server.Messages(b.queue)[4].ID
			var healed atomic.Bool
			b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
				for i, e := range req.Entries {
					if op == "ChangeMessageVisibilityBatch" && e.MessageID == lost && !healed.Load() {
						a.FailEntries = map[int]*sqstest.Error{i: {Code: "InternalError"}}
					}
				}
				return a
			})
			b.start(obeys(1500*time.Millisecond), sqssource.Options{})
			b.start(obeys(1500*time.Millisecond), sqssource.Options{})
			time.Sleep(20 * time.Second)
			healed.Store(true)
			b.drain()
			b.wantOrder()
			if n := len(seen[consumer.VisibilityLost](b)); n == 0 {
				b.Error("got no event that visibility was lost")
			}
		})
	}
}

// A group that comes again while it waits in the process for its head is not
// run twice, and goes on in order when the head's time has come.
func TestFIFORedeliveredWhileGroupWaits(t *testing.T) {
	bubble(t, short(fifo), func(b *bed) {
		b.sendGroups(1, 8)
		b.breakVisibility(7 * time.Second)
		r := b.start(heads(1, consumer.RetryAfter(9*time.Second, errNo)), sqssource.Options{})
		time.Sleep(8 * time.Second)
		b.sendRange("g0", 8, 12)
		b.drain()
		b.wantOrder()
		if n := b.ledger.runs(); n != 13 {
			b.Errorf("got %d runs, want 13: of the head two", n)
		}
		if at := b.ledger.starts["g0-0"]; len(at) != 2 || at[1] > 10*time.Second {
			b.Errorf("heads at %v, want two, 9s apart", at)
		}
		if rep := r.stop(); rep.Duplicates != 8 || rep.Done != 12 {
			b.Errorf("report: got %+v, want 8 duplicates, adopted, and 12 done", rep)
		}
	})
}

// sendRange sends the messages g-first, ... from the first number to before the last to a
// group.
func (b *bed) sendRange(g string, first, last int) {
	b.Helper()
	for i := first; i < last; i++ {
		b.send(fmt.Sprint(g, "-", i), group(g))
	}
}

// Messages that come for the first time do not run before those in front of
// them which this poller could not give back in time.
func TestFIFOFreshBehindThoseThatReturn(t *testing.T) {
	for _, bare := range []bool{false, true} {
		bubble(t, setting{queue: fifo, noGuard: bare, attrs: attrs{"VisibilityTimeout": "4"}}, func(b *bed) {
			b.sendGroups(1, 3)
			b.breakVisibility(10 * time.Second)
			b.start(heads(1, consumer.RetryAfter(time.Minute, errNo)), sqssource.Options{})
			time.Sleep(time.Second)
			b.sendRange("g0", 3, 6)
			b.drain()
			b.wantOrder()
			if n := b.ledger.runs(); n != 7 {
				b.Errorf("got %d runs, want 7: of the head two", n)
			}
		})
	}
}

// While a head runs long, later messages of its group stay where they are.
func TestFIFOLongHead(t *testing.T) {
	bubble(t, short(fifo), func(b *bed) {
		b.sendGroups(1, 3)
		r := b.start(func(ctx context.Context, rec *consumer.Record) error {
			if head(rec) {
				return obeys(time.Minute)(ctx, rec)
			}
			return nil
		}, sqssource.Options{})
		b.start(takes(0), sqssource.Options{})
		time.Sleep(10 * time.Second)
		b.sendRange("g0", 3, 6)
		b.drain()
		b.wantOrder()
		b.once(6)
		b.wantReport(r.stop(), sqssource.Report{Received: r.report.Received, Done: r.report.Done})
	})
}

// In an outage of the store a group is held, and costs no receives; when the
// store is back it goes on with its first message, alone.
func TestFIFOStoreOutage(t *testing.T) {
	bubble(t, setting{queue: fifo, receives: 2}, func(b *bed) {
		b.sendGroups(4, 5)
		b.store.fail(func([]dedupe.Op) error {
			if n := b.ledger.runs(); n >= 6 {
				return errNo
			}
			return nil
		})
		b.start(takes(200*time.Millisecond), sqssource.Options{})
		time.Sleep(time.Hour)
		synctest.Wait()
		b.store.fail(nil)
		b.drain()
		b.repeats = true // completions were lost
		b.wantOrder()
		for _, m := range b.sent {
			if strings.HasSuffix(m, "-4") && b.ledger.ran(m) != 1 {
				b.Errorf("%s: got %d runs, want 1", m, b.ledger.ran(m))
			}
		}
	})
}

// What waits behind a failed head and was lost meanwhile is somebody else's: it
// is not run here as well.
func TestFIFOWaitingGroupTakenOver(t *testing.T) {
	bubble(t, setting{queue: fifo, noGuard: true, attrs: attrs{"VisibilityTimeout": "4"}}, func(b *bed) {
		b.sendGroups(1, 8)
		h := heads(1, consumer.RetryAfter(9*time.Second, errNo))
		first := b.start(h, sqssource.Options{MaxMessages: 8})
		time.Sleep(time.Second)
		b.breakVisibility(8 * time.Second)
		b.start(h, sqssource.Options{})
		b.drain()
		b.wantOrder()
		if n := b.ledger.runs(); n != 9 {
			b.Errorf("got %d runs, want 9: of the head two", n)
		}
		time.Sleep(10 * time.Second)
		b.wantReport(first.stop(), sqssource.Report{Received: 8, Unsettled: 8})
	})
}

// However groups wait, go on and leave, no slot is lost, and none is made.
func TestFIFOKeepsItsSlots(t *testing.T) {
	for name, h := range map[string]consumer.HandlerFunc{
		"held":       heads(1, errNo),
		"given back": heads(1, consumer.RetryAfter(15*time.Second, errNo)),
		"moved":      heads(always, consumer.Permanent(errNo)),
		"outage":     takes(20 * time.Millisecond),
		"lost":       obeys(6 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			set := short(fifo)
			set.receives = 20
			bubble(t, set, func(b *bed) {
				b.sendGroups(12, 4)
				switch name {
				case "outage":
					b.store.fail(func([]dedupe.Op) error { return errNo })
					time.AfterFunc(time.Minute, func() { b.store.fail(nil) })
				case "lost":
					b.breakVisibility(5 * time.Second)
				}
				long := false
				r := b.start(func(ctx context.Context, rec *consumer.Record) error {
					if long {
						return takes(time.Minute)(ctx, rec)
					}
					return h(ctx, rec)
				}, sqssource.Options{Concurrency: 5, AbandonPolls: true})
				b.drain()
				b.until("nothing is here", func() bool { return r.poller.Status().InProcess == 0 })
				b.left[b.dead] = b.server.Stats(b.dead).Total()
				long = true
				for i := range 12 {
					b.send(fmt.Sprintf("long%d-1", i), group(fmt.Sprint("long", i)))
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
				if n, s := b.ledger.handling(), b.server.Stats(b.queue); n != 5 || s.InFlight != 5 {
					b.Errorf("got %d handlers and %+v, want 5 and 5 in flight, as there are slots", n, s)
				}
				b.drain()
			})
		})
	}
}
