package sqssource_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

var errDown = errors.New("the store is down")

func down([]dedupe.Op) error { return errDown }

// An outage of the store, however long, costs no message more than one
// receive, does not take it to the dead-letter queue and runs nothing; when it
// is over all goes on by itself.
func TestStoreOutage(t *testing.T) {
	for name, c := range map[string]struct {
		n      int
		o      sqssource.Options
		pauses bool
	}{
		"one message":          {n: 1}, // it may be to blame itself
		"one, in the one slot": {n: 1, o: sqssource.Options{Concurrency: 1}, pauses: true},
		"many":                 {n: 300, pauses: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := c.n
			bubble(t, setting{receives: 3}, func(b *bed) {
				b.store.fail(down)
				b.sendMany(n)
				r := b.start(takes(time.Millisecond), c.o)
				time.Sleep(40 * time.Minute)
				if got := b.ledger.runs(); got != 0 {
					b.Errorf("got %d runs while the store is down, want 0", got)
				}
				for _, m := range b.server.Messages(b.queue) {
					if m.ReceiveCount > 1 {
						b.Errorf("%s was received %d times in the outage, want once at most", m.Body, m.ReceiveCount)
					}
				}
				if p := seen[consumer.Paused](b); !c.pauses && len(p) > 0 {
					b.Errorf("got %d events paused, want none", len(p))
				} else if c.pauses && (len(p) == 0 || !errors.Is(p[0].Err, errDown) || p[0].Queue != b.url) {
					b.Errorf("got %d events paused: %.300v, want some, of %s because of %v", len(p), p, b.url, errDown)
				}
				if b.server.Stats("dead").Total() > 0 {
					b.Errorf("got %d dead letters, want 0", b.server.Stats("dead").Total())
				}
				healed, before := b.since(), len(b.requests("ReceiveMessage"))
				b.store.fail(nil)
				b.drain()
				if got := len(b.requests("ReceiveMessage")) - before; got > n/10+20 {
					b.Errorf("got %d receives for the rest of %d messages after the outage, want tens again", got, n)
				}
				if took := b.since() - healed; took > 32*time.Second {
					b.Errorf("took %v after the outage, want at most 32s", took)
				}
				b.wantReport(r.stop(), sqssource.Report{Received: n, Done: n})
				b.once(n)
			})
		})
	}
}

// In an outage no more messages are received than are needed to tell it from
// messages that are to blame themselves, and those that were asked for when it
// began.
func TestNothingIsReceivedInAnOutage(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.store.fail(down)
		b.start(takes(0), sqssource.Options{})
		for range 300 {
			b.sendMany(1)
			time.Sleep(time.Second)
		}
		if n := b.server.Stats(b.queue).InFlight; n > 11 {
			b.Errorf("got %d messages out of the queue in the outage, want 11 at most", n)
		}
		b.store.fail(nil)
		b.drain()
		b.once(300)
		if n := len(seen[consumer.Failed](b)); n > 2 {
			b.Errorf("got %d events failed, want two at most, from before it was known for an outage", n)
		}
	})
}

// So it is when the outage begins in the midst of work: what cannot be
// completed comes back, and nothing else is received meanwhile.
func TestStoreOutageInTheMidstOfWork(t *testing.T) {
	bubble(t, setting{receives: 4}, func(b *bed) {
		b.repeats = true // the completions of what ran were lost
		b.sendMany(1000)
		r := b.start(takes(100*time.Millisecond), sqssource.Options{Concurrency: 20})
		time.Sleep(time.Second)
		b.store.fail(down)
		before := b.ledger.runs()
		time.Sleep(time.Hour)
		if got := b.ledger.runs() - before; got > 20 {
			b.Errorf("got %d runs in the outage, want at most 20", got)
		}
		for _, m := range b.server.Messages(b.queue) {
			if m.ReceiveCount > 2 {
				b.Errorf("%s was received %d times in the outage, want twice at most", m.Body, m.ReceiveCount)
			}
		}
		b.store.fail(nil)
		b.drain()
		if rep := r.stop(); rep.Done != 1000 {
			b.Errorf("report: got %+v, want 1000 done", rep)
		}
	})
}

// A poller that is stopped in an outage returns what it holds at once.
func TestStopInStoreOutage(t *testing.T) {
	bubble(t, setting{receives: 3}, func(b *bed) {
		b.store.fail(down)
		b.sendMany(50)
		r := b.start(takes(0), sqssource.Options{})
		time.Sleep(10 * time.Minute)
		rep := r.stop()
		if s := b.server.Stats(b.queue); s.Visible != 50 || rep.Unsettled != 0 {
			b.Errorf("got %+v and %+v, want 50 visible", s, rep)
		}
		b.left[b.queue] = 50
	})
}

// A poller that is stopped at any moment of an outage in which the store does
// not even answer leaves nothing behind, and gives its slots back.
func TestStopWhileTheStoreHangs(t *testing.T) {
	for ms := range 12 {
		bubble(t, setting{receives: 3}, func(b *bed) {
			slots := sqssource.NewSlots(10)
			b.store.hang(true)
			b.sendMany(30)
			r := b.start(takes(time.Second), sqssource.Options{Slots: slots})
			time.Sleep(time.Minute + time.Duration(ms)*617*time.Millisecond)
			if rep := r.stop(); rep.Unsettled != 0 || rep.Done != 0 {
				b.Errorf("report: got %+v, want nothing unsettled or done", rep)
			}
			b.store.hang(false)
			b.start(takes(time.Second), sqssource.Options{Slots: slots})
			b.drain()
			b.once(30)
			if b.ledger.peak != 10 {
				b.Errorf("got %d handlers at once, want all 10 slots back", b.ledger.peak)
			}
		})
	}
}

// When queue and store are both out of reach until the visibility timeouts
// have passed, nothing is run by two, and afterwards all is done.
func TestQueueAndStoreOutage(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(100)
		b.store.fail(down)
		b.start(takes(time.Second), sqssource.Options{Concurrency: 20})
		time.Sleep(time.Second)
		b.server.Fault(func(string, sqstest.Request) sqstest.Action { return sqstest.Action{DropRequest: true} })
		time.Sleep(10 * time.Minute)
		b.server.Fault(nil)
		time.Sleep(time.Minute)
		b.store.fail(nil)
		b.drain()
		b.once(100)
	})
}

// A store that now and then gives no answer for one message holds up neither
// the others nor receiving, and costs no receive.
func TestStoreThatSkipsSome(t *testing.T) {
	bubble(t, setting{receives: 2}, func(b *bed) {
		b.sendMany(500)
		until := make(map[dedupe.Key]time.Duration)
		b.store.skip(func(op dedupe.Op) bool { // each tenth key, for a second
			if _, known := until[op.Key]; !known && len(until)%10 == 9 {
				until[op.Key] = b.since() + time.Second
			} else if !known {
				until[op.Key] = 0
			}
			return until[op.Key] > b.since()
		})
		r := b.start(takes(100*time.Millisecond), sqssource.Options{Concurrency: 50})
		b.drain()
		if took := b.since(); took > 5*time.Second {
			b.Errorf("500 messages of 100 ms in 50 slots took %v, want at most 5s", took)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 500, Done: 500})
		b.once(500)
		wantSeen[consumer.Paused](b, 0)
	})
}

// Messages that the store never answers for, because their rows cannot be
// read, hold up no others on a queue where hardly anything else arrives, and
// are told, once.
func TestRowsThatCannotBeRead(t *testing.T) {
	for _, n := range []int{1, 3, 8} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			bubble(t, setting{}, func(b *bed) {
				bad := make(map[dedupe.Key]bool)
				b.store.skip(func(op dedupe.Op) bool {
					if len(bad) < n {
						bad[op.Key] = true
					}
					return bad[op.Key]
				})
				b.sendMany(n)
				r := b.start(takes(0), sqssource.Options{})
				time.Sleep(time.Hour)
				for i := range 20 {
					b.sendMany(1)
					time.Sleep(5 * time.Minute)
					if got := b.ledger.runs(); got != i+1 {
						b.Fatalf("got %d runs of %d others within 5 minutes of the last, want all", got, i+1)
					}
				}
				failed := seen[consumer.Failed](b)
				if len(failed) != n || !errors.Is(failed[0].Err, errNo) {
					b.Errorf("failed: got %v, want %d because of %v", failed, n, errNo)
				}
				b.store.skip(nil)
				b.drain()
				b.wantReport(r.stop(), sqssource.Report{Received: n + 20, Done: n + 20})
				b.once(n + 20)
			})
		})
	}
}
