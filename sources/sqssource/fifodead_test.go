package sqssource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

const always = 1 << 30

// wantDead fails unless exactly the messages of those labels are in the
// dead-letter queue, with their groups and what identifies them.
func (b *bed) wantDead(labels ...string) {
	b.Helper()
	b.left[b.dead] = len(labels)
	var got []string
	for _, m := range b.server.Messages(b.dead) {
		got = append(got, label(m.Body))
		if g, _, _ := strings.Cut(m.Body, "-"); m.GroupID != g || m.DeduplicationID == "" {
			b.Errorf("dead letter %s: group %q, deduplication id %q, want %q and some", m.Body, m.GroupID, m.DeduplicationID, g)
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != strings.Join(labels, " ") {
		b.Errorf("dead letters: got %q, want %q", got, labels)
	}
}

// A head that always fails ends in the dead-letter queue; those behind it are
// not driven there with it, but run in order, however long its backoff is, and
// with or without rows that count its failures.
func TestFIFOPoisonHead(t *testing.T) {
	for name, err := range map[string]error{
		"plain":    errNo,
		"at once":  consumer.RetryAfter(0, errNo),
		"a minute": consumer.RetryAfter(time.Minute, errNo),
		"an hour":  consumer.RetryAfter(time.Hour, errNo),
	} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " bare=", bare), func(t *testing.T) {
				bubble(t, setting{queue: fifo, receives: 3, noGuard: bare}, func(b *bed) {
					b.sendGroups(2, 10)
					b.start(heads(always, err), sqssource.Options{})
					time.Sleep(4 * time.Hour)
					b.drain()
					b.wantOrder("g0-0", "g1-0")
					b.wantDead("g0-0", "g1-0")
					for _, l := range b.sent[2:] {
						if n := b.ledger.ran(l); n != 1 {
							b.Errorf("%s: got %d runs, want 1", l, n)
						}
					}
					if n := b.ledger.ran("g0-0"); n < 3 {
						b.Errorf("the head: got %d runs, want 3 at least", n)
					}
				})
			})
		}
	}
}

// Followers of a head that used up their receives still get their own tries.
func TestFIFOFollowersOfAPoisonHeadMayFail(t *testing.T) {
	for _, bare := range []bool{false, true} {
		for _, after := range []time.Duration{time.Second, 5 * time.Minute} {
			bubble(t, setting{queue: fifo, receives: 3, noGuard: bare}, func(b *bed) {
				b.sendGroups(1, 5)
				twice := failing(2, consumer.RetryAfter(after, errNo))
				b.start(func(ctx context.Context, rec *consumer.Record) error {
					if head(rec) {
						return consumer.RetryAfter(time.Minute, errNo)
					}
					return twice(ctx, rec)
				}, sqssource.Options{})
				time.Sleep(4 * time.Hour)
				b.drain()
				b.wantOrder("g0-0")
				b.wantDead("g0-0")
				for _, l := range b.sent[1:] {
					if n := b.ledger.ran(l); n != 3 {
						b.Errorf("%s: got %d runs, want 3: it fails twice", l, n)
					}
				}
			})
		}
	}
}

// A head that always asks for no wait does not spin.
func TestFIFONoWait(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(1, 3)
		r := b.start(failing(always, consumer.RetryAfter(0, errNo)), sqssource.Options{AbandonPolls: true})
		time.Sleep(10 * time.Second)
		if n := b.ledger.runs(); n < 50 || n > 110 {
			b.Errorf("in 10s: got %d runs, want 100 or so", n)
		}
		r.stop()
		b.left[b.queue] = 3
	})
}

// A permanent failure goes to the dead-letter queue at once, and its group
// goes on.
func TestFIFOPermanentHead(t *testing.T) {
	bubble(t, setting{queue: fifo, receives: 5}, func(b *bed) {
		b.sendGroups(3, 5)
		ids := make(map[string]string)
		for _, m := range b.server.Messages(b.queue) {
			ids[m.Body] = m.ID
		}
		r := b.start(heads(always, consumer.Permanent(errNo)), sqssource.Options{})
		b.drain()
		b.wantOrder("g0-0", "g1-0", "g2-0")
		b.wantDead("g0-0", "g1-0", "g2-0")
		for _, m := range b.server.Messages(b.dead) {
			if m.DeduplicationID != ids[m.Body] {
				b.Errorf("dead letter %s: deduplication id %q, want %q, its messageId", m.Body, m.DeduplicationID, ids[m.Body])
			}
		}
		b.once(15)
		if took := b.since(); took > time.Second {
			b.Errorf("took %v, want no wait", took)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 15, Done: 12, Failed: 3})
	})
}

// A head that is parked goes to the dead-letter queue, and its group goes on.
func TestFIFOParkedHead(t *testing.T) {
	bubble(t, setting{queue: fifo, receives: 5, guard: dedupe.Options{AtMostOnce: true}}, func(b *bed) {
		b.sendGroups(1, 5)
		b.start(heads(always, errNo), sqssource.Options{})
		b.drain()
		b.wantOrder("g0-0")
		b.wantDead("g0-0")
		b.once(5)
	})
}

// A permanent failure that cannot be moved is tried again, in the process on
// the last of its receives: its followers are not driven to the dead-letter
// queue with it.
func TestFIFODeadLetterQueueIsDown(t *testing.T) {
	for _, err := range []error{consumer.Permanent(errNo), errNo} {
		bubble(t, setting{queue: fifo, receives: 2}, func(b *bed) {
			b.sendGroups(1, 5)
			b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
				if op == "SendMessage" {
					a.Err = &sqstest.Error{Code: "ServiceUnavailable"}
				}
				return a
			})
			b.start(heads(always, err), sqssource.Options{})
			time.Sleep(time.Hour)
			synctest.Wait()
			b.server.Fault(nil)
			if n := b.ledger.runs() - b.ledger.ran("g0-0"); n != 0 || b.server.Stats(b.dead).Total() != 0 {
				b.Errorf("while it cannot be moved: got %d runs of its followers and %+v dead, want none", n, b.server.Stats(b.dead))
			}
			b.drain()
			b.wantOrder("g0-0")
			b.wantDead("g0-0")
		})
	}
}

// A head on its last receive whose claim fails, as the store is down, or which
// another worker has, was not tried: it is not moved.
func TestFIFOLastReceiveNotTried(t *testing.T) {
	set := setting{queue: fifo, receives: 1, guard: dedupe.Options{Lease: 5 * time.Second}}
	t.Run("store down", func(t *testing.T) {
		bubble(t, set, func(b *bed) {
			b.sendGroups(1, 5)
			b.store.fail(func([]dedupe.Op) error { return errNo })
			b.start(takes(20*time.Millisecond), sqssource.Options{})
			time.Sleep(10 * time.Minute)
			b.store.fail(nil)
			b.drain()
			b.wantOrder()
			b.once(5)
		})
	})
	t.Run("in progress elsewhere", func(t *testing.T) {
		bubble(t, set, func(b *bed) {
			b.sendGroups(1, 5)
			done := b.elsewhere("g0-0", time.Minute)
			b.start(takes(20*time.Millisecond), sqssource.Options{})
			b.drain()
			<-done
			b.wantOrder()
			b.once(5)
			if at := b.ledger.starts["g0-1"][0]; at < time.Minute {
				b.Errorf("the second started at %v, want after the minute that the head takes elsewhere", at)
			}
		})
	})
}

// elsewhere handles a message for some time as another worker would that has
// the same store.
func (b *bed) elsewhere(name string, takesIt time.Duration) <-chan struct{} {
	b.Helper()
	rec := &consumer.Record{Source: b.server.ARN(b.queue), Body: []byte(name)}
	for _, m := range b.server.Messages(b.queue) {
		if label(m.Body) == name {
			rec.ID, rec.MessageID = m.ID, m.ID
		}
	}
	if rec.ID == "" {
		b.Fatalf("no message %s", name)
	}
	guard := dedupe.New(&b.store, dedupe.Options{Consumer: "test", Lease: b.guard.Lease()})
	p := batch.New(guard, b.ledger.handler(takes(takesIt)), batch.Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, err := range p.Process(context.Background(), []*consumer.Record{rec}) {
			if err != nil {
				b.Errorf("%s elsewhere: %v", name, err)
			}
		}
	}()
	synctest.Wait()
	return done
}

// A head that another worker has is waited for, for as long as its lease is;
// none of its group runs before it.
func TestFIFOHeadInProgressElsewhere(t *testing.T) {
	for _, lease := range []time.Duration{5 * time.Second, 30 * time.Second} {
		bubble(t, setting{queue: fifo, guard: dedupe.Options{Lease: lease}}, func(b *bed) {
			b.sendGroups(2, 5)
			done := b.elsewhere("g0-0", 3*time.Second)
			b.start(takes(20*time.Millisecond), sqssource.Options{})
			b.until("the other group is done", func() bool { return b.ledger.finished("g1-4") == 1 })
			if took := b.since(); took > 200*time.Millisecond {
				b.Errorf("the other group took %v, want 100ms", took)
			}
			b.drain()
			<-done
			b.wantOrder()
			b.once(10)
			if took := b.since(); took > lease+lease/10+4*time.Second {
				b.Errorf("took %v, want the lease of %v, a tenth, and a few seconds at most", took, lease)
			}
		})
	}
}

// What a stop gives back on the last of its receives cannot be had again, but
// a head that has had its tries is moved even then.
func TestFIFOPoisonHeadAtStop(t *testing.T) {
	bubble(t, setting{queue: fifo, receives: 3}, func(b *bed) {
		b.sendGroups(1, 3)
		r := b.start(func(ctx context.Context, _ *consumer.Record) error {
			<-ctx.Done()
			return consumer.Permanent(errors.New("bad"))
		}, sqssource.Options{DrainTimeout: time.Second})
		time.Sleep(time.Second)
		if rep := r.stop(); rep.Failed != 1 || rep.Done+rep.Unsettled != 0 {
			b.Errorf("report: got %+v, want 1 failed, all others released", rep)
		}
		b.wantDead("g0-0")
		if s := b.server.Stats(b.queue); s.Visible != 2 {
			b.Errorf("got %+v, want the other two visible", s)
		}
		b.left[b.queue] = 2
	})
}
