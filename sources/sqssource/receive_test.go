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
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// slow answers every request of that operation after a while.
func slow(op string, d time.Duration) sqstest.FaultFunc {
	return func(o string, _ sqstest.Request) (a sqstest.Action) {
		if o == op {
			a.Delay = d
		}
		return a
	}
}

// A poller of an empty queue makes at most four receives a minute, after a
// burst as well as before.
func TestIdleCost(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.start(takes(0), sqssource.Options{})
		time.Sleep(10 * time.Minute)
		if n := len(b.requests("ReceiveMessage")); n > 40 {
			b.Errorf("receives in 10 idle minutes: got %d, want at most 40", n)
		}
		b.sendMany(500)
		b.drain()
		time.Sleep(time.Minute)
		before := len(b.requests("ReceiveMessage"))
		time.Sleep(10 * time.Minute)
		if n := len(b.requests("ReceiveMessage")) - before; n > 40 {
			b.Errorf("receives in 10 idle minutes after a burst: got %d, want at most 40", n)
		}
	})
}

// Receives become more while they come back full, up to what the slots allow,
// and fewer when the queue is empty: one is left.
func TestReceiversGrowAndShrink(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(3000)
		b.server.Fault(slow("ReceiveMessage", 50*time.Millisecond))
		b.start(takes(0), sqssource.Options{Concurrency: 64})
		b.drain()
		if n := b.client.reset(); n != 7 {
			b.Errorf("receives at once on a full queue: got %d, want 7 for 64 slots", n)
		}
		if took := b.since(); took > 3*time.Second {
			b.Errorf("3000 messages took %v at 50 ms a receive, want at most 3s", took)
		}
		time.Sleep(time.Minute)
		if polls, _ := b.client.now(); polls != 1 {
			b.Errorf("receives at once on an empty queue: got %d, want 1", polls)
		}
	})
}

// No more messages are asked for than there are free slots: none waits in the
// process, counting a receive and its visibility timeout.
func TestAsksForWhatCanStart(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(100)
		b.start(takes(time.Minute), sqssource.Options{Concurrency: 25})
		for range 30 {
			time.Sleep(time.Second)
			synctest.Wait()
			if s, n := b.server.Stats(b.queue), b.ledger.handling(); s.InFlight != 25 || n != 25 {
				b.Fatalf("in flight: %d, handled: %d, want 25 both", s.InFlight, n)
			}
			if polls, asked := b.client.now(); polls != 0 {
				b.Fatalf("%d receives for %d messages while no slot is free", polls, asked)
			}
		}
		b.drain()
		b.once(100)
	})
}

// One free slot is used within milliseconds although all other handlers run
// long: a receive never waits for ten of them.
func TestOneFreeSlotIsUsed(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		for i := range 9 {
			b.send(fmt.Sprint("slow", i))
		}
		b.sendMany(100)
		b.start(func(_ context.Context, rec *consumer.Record) error {
			if strings.HasPrefix(string(rec.Body), "slow") {
				time.Sleep(time.Hour)
			}
			return nil
		}, sqssource.Options{Concurrency: 10})
		b.until("the others are done", func() bool { return b.ledger.runs() == 109 })
		if took := b.since(); took > time.Second {
			b.Errorf("100 messages through one slot took %v, want at most 10 ms each", took)
		}
		b.drain()
	})
}

// MaxMessages bounds the messages in the process where slots do not.
func TestMaxMessages(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(60)
		b.start(takes(time.Second), sqssource.Options{MaxMessages: 12})
		for b.server.Stats(b.queue).Total() > 0 {
			if n := b.server.Stats(b.queue).InFlight; n > 12 {
				b.Fatalf("got %d messages in flight, want at most 12", n)
			}
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if b.ledger.peak != 12 {
			b.Errorf("got %d handlers at once, want 12", b.ledger.peak)
		}
	})
}

// MaxBytes bounds the bodies in the process, with the largest that SQS takes:
// room for each message that a receive asks for is set aside. Where it is less
// than one message needs, they come one by one.
func TestMaxBytes(t *testing.T) {
	for most, want := range map[int]int{5 << 20: 5, 1000: 1} {
		bubble(t, setting{}, func(b *bed) {
			for i := range want + 1 {
				head := fmt.Sprintf("m%d ", i)
				b.send(head + strings.Repeat("x", 1<<20-len(head)))
			}
			r := b.start(takes(time.Second), sqssource.Options{MaxBytes: most})
			peak := 0
			b.until("all are done", func() bool {
				peak = max(peak, r.poller.Status().Bytes)
				return b.server.Stats(b.queue).Total() == 0
			})
			if peak != want<<20 || b.ledger.peak != want {
				b.Errorf("MaxBytes %d: got %d bytes and %d handlers at once, want %d MiB and %d", most, peak, b.ledger.peak, want, want)
			}
			if n := r.poller.Status().Bytes; n != 0 {
				b.Errorf("Bytes when all is done: got %d, want 0", n)
			}
		})
	}
}

// A small message takes its own size, not the 1 MiB that was set aside for it.
func TestSmallMessagesTakeLittle(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(50)
		b.start(takes(time.Minute), sqssource.Options{MaxBytes: 12 << 20})
		time.Sleep(time.Second)
		synctest.Wait()
		if n := b.ledger.handling(); n != 50 {
			b.Errorf("got %d handlers at once with room for 12 MiB, want all 50", n)
		}
		b.drain()
	})
}

// Each receive that brings messages is told, with what it asked for and how
// long it took.
func TestReceivedIsTold(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.start(takes(0), sqssource.Options{})
		time.Sleep(5 * time.Second)
		b.sendMany(3)
		b.drain()
		total := 0
		for i, e := range seen[consumer.Received](b) {
			total += e.Messages
			if e.Queue != b.url || e.Asked != 10 || i == 0 && e.Took != 5*time.Second {
				b.Errorf("received: got %+v, want 10 asked of %s, the first after 5s", e, b.url)
			}
		}
		if total != 3 {
			b.Errorf("received: got %d messages in all, want 3", total)
		}
	})
}

// Deletes that hang do not hold up receives and handlers.
func TestDeletesDoNotHoldUpReceives(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(300)
		b.server.Fault(slow("DeleteMessageBatch", 8*time.Second))
		b.start(takes(10*time.Millisecond), sqssource.Options{Concurrency: 32})
		b.until("all were run", func() bool { return b.ledger.runs() == 300 })
		if took := b.since(); took > time.Second {
			b.Errorf("300 handlers of 10 ms in 32 slots took %v while deletes hang, want at most 1s", took)
		}
		b.drain()
		b.once(300)
	})
}

// Throttled, failed and broken receives, and answers with a wrong checksum,
// are made again for as long as it takes, with pauses, and then all goes on.
func TestReceiveTroubleNeverEndsIt(t *testing.T) {
	for name, bad := range map[string]sqstest.Action{
		"throttled": {Err: &sqstest.Error{Code: "RequestThrottled"}},
		"500":       {Err: &sqstest.Error{Code: "InternalFailure"}},
		"503":       {Err: &sqstest.Error{Code: "ServiceUnavailable"}},
		"broken":    {DropRequest: true},
		"lost":      {DropResponse: true},
		"truncated": {Truncate: true},
		"checksum":  {CorruptMD5: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{}, func(b *bed) {
				b.sendMany(100)
				var tries atomic.Int64
				b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
					if op != "ReceiveMessage" {
						return sqstest.Action{}
					}
					tries.Add(1)
					return bad
				})
				r := b.start(takes(0), sqssource.Options{})
				time.Sleep(time.Hour)
				if n := tries.Load(); n > 1000 || len(seen[consumer.QueueFailed](b)) == 0 {
					b.Errorf("got %d receives and %d events in an hour, want at most 1000, and some",
						n, len(seen[consumer.QueueFailed](b)))
				}
				b.server.Fault(nil)
				healed := b.since()
				b.drain()
				if took := b.since() - healed; took > time.Minute {
					b.Errorf("took %v after the trouble, want at most a minute", took)
				}
				b.wantReport(r.stop(), sqssource.Report{Received: 100, Done: 100})
				b.once(100)
			})
		})
	}
}
