package sqssource_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

const fifo = "orders.fifo"

// sendGroups sends so many messages to each of so many groups, g0-0, g1-0 ...
// g0-1, g1-1 ...
func (b *bed) sendGroups(groups, each int) {
	b.Helper()
	for i := range each {
		for g := range groups {
			b.send(fmt.Sprintf("g%d-%d", g, i), group(fmt.Sprint("g", g)))
		}
	}
}

// wantOrder fails if a handler of a message of sendGroups started before all
// earlier messages of its group had succeeded, but for those whose labels are
// given.
func (b *bed) wantOrder(but ...string) {
	b.Helper()
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	last := make(map[string]string) // the message before, by group
	wrong := 0
	for _, l := range b.sent {
		g, _, _ := strings.Cut(l, "-")
		before := last[g]
		if slices.Contains(but, l) {
			continue
		}
		last[g] = l
		if before == "" || len(b.ledger.starts[l]) == 0 {
			continue
		}
		ends := b.ledger.ends[before]
		if len(ends) == 0 || b.ledger.starts[l][0] < ends[0] {
			wrong++
			b.Logf("%s started at %v, %s ended at %v", l, b.ledger.starts[l], before, ends)
		}
	}
	if wrong > 0 {
		b.Errorf("got %d messages out of order, want 0", wrong)
	}
}

// head reports whether a record is the first of its group.
func head(rec *consumer.Record) bool { return strings.HasSuffix(label(string(rec.Body)), "-0") }

// heads is a handler of 20 ms in which the first message of each group fails,
// so many times.
func heads(n int, err error) consumer.HandlerFunc {
	fails := failing(n, err)
	return func(ctx context.Context, rec *consumer.Record) error {
		time.Sleep(20 * time.Millisecond)
		if head(rec) {
			return fails(ctx, rec)
		}
		return nil
	}
}

// A group's messages run one after another, in order, and all groups at once.
func TestFIFOOrder(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(20, 50)
		r := b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantOrder()
		b.once(1000)
		if took := b.since(); b.ledger.peak != 20 || took > 1200*time.Millisecond {
			b.Errorf("50 messages of 20 ms in each of 20 groups: got %d groups at once and %v, want 20 and 1.2s at most", b.ledger.peak, took)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 1000, Done: 1000})
	})
}

// More groups than slots share these: order holds, and none starves.
func TestFIFOMoreGroupsThanSlots(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(50, 4)
		b.start(takes(20*time.Millisecond), sqssource.Options{Concurrency: 5})
		b.drain()
		b.wantOrder()
		b.once(200)
		if took := b.since(); b.ledger.peak != 5 || took > 1100*time.Millisecond {
			b.Errorf("200 messages of 20 ms in 5 slots: got %d at once and %v, want 5 and 1.1s at most", b.ledger.peak, took)
		}
	})
}

// After a failed head its group goes on as soon as the head's own backoff
// ends, without another receive, and in order; also when all slots but the
// groups' own wait for messages in a long poll.
func TestFIFOFailingHeads(t *testing.T) {
	for _, slots := range []int{64, 10, 3} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			bubble(t, setting{queue: fifo}, func(b *bed) {
				b.sendGroups(10, 10)
				r := b.start(heads(1, errNo), sqssource.Options{Concurrency: slots})
				b.drain()
				b.wantOrder()
				late := 10 * 200 * time.Millisecond / time.Duration(min(slots, 10)) // the others in the slots
				for g := range 10 {
					at := b.ledger.starts[fmt.Sprintf("g%d-0", g)]
					if wait := at[1] - at[0] - 20*time.Millisecond; len(at) != 2 || wait < time.Second || wait > time.Second+late {
						b.Errorf("group %d: heads at %v, want two, 1s apart and %v more at most", g, at, late)
					}
				}
				b.wantReport(r.stop(), sqssource.Report{Received: 100, Done: 100})
			})
		})
	}
}

// While one group waits for its failed head, others are received and run.
func TestFIFOWaitingGroupHoldsUpNobody(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(1, 10)
		b.start(heads(1, consumer.RetryAfter(9*time.Second, errNo)), sqssource.Options{Concurrency: 1})
		time.Sleep(time.Second)
		for i := range 20 {
			b.send(fmt.Sprint("h-", i+1), group("h"))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := b.ledger.runs(); n != 21 {
			b.Errorf("got %d runs, want 21: the head, and all of the other group", n)
		}
		b.drain()
		b.wantOrder()
		if took := b.since(); took > 10*time.Second {
			b.Errorf("took %v, want 10s at most", took)
		}
	})
}

// A long backoff gives the whole group back: its followers are visible at
// once, but blocked by their head until it is tried again, then by whatever
// poller receives them.
func TestFIFOLongBackoff(t *testing.T) {
	for _, other := range []bool{false, true} {
		bubble(t, setting{queue: fifo}, func(b *bed) {
			b.sendGroups(3, 10)
			r := b.start(heads(1, consumer.RetryAfter(5*time.Minute, errNo)), sqssource.Options{})
			time.Sleep(time.Second)
			synctest.Wait()
			if s := b.server.Stats(b.queue); s.Visible != 27 || s.InFlight != 3 || r.poller.Status().InProcess != 0 {
				b.Errorf("got %+v and %d messages here, want 27 visible, the heads in flight, none here", s, r.poller.Status().InProcess)
			}
			if other {
				r.stop()
				b.start(takes(20*time.Millisecond), sqssource.Options{})
			}
			b.start(takes(20*time.Millisecond), sqssource.Options{})
			b.drain()
			b.wantOrder()
			if n := b.ledger.runs(); n != 33 {
				b.Errorf("got %d runs, want 33: none of a follower before its head", n)
			}
			if at := b.ledger.starts["g1-0"]; len(at) != 2 || at[1] < 5*time.Minute || at[1] > 5*time.Minute+time.Second {
				b.Errorf("head at %v, want again after 5m", at)
			}
			b.wantReport(r.stop(), sqssource.Report{Received: r.report.Received, Done: r.report.Done, Failed: 3, Released: 27})
		})
	}
}

// The next message of a group starts only when the completion of the one
// before is recorded.
func TestFIFOCompletionFirst(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(3, 5)
		b.store.fail(func(ops []dedupe.Op) error {
			if slices.ContainsFunc(ops, func(op dedupe.Op) bool { return op.Kind == dedupe.OpComplete }) {
				time.Sleep(300 * time.Millisecond)
			}
			return nil
		})
		b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.once(15)
		for _, l := range b.sent[3:] {
			before := fmt.Sprintf("%s%d", l[:3], l[3]-'1')
			if gap := b.ledger.starts[l][0] - b.ledger.ends[before][0]; gap < 300*time.Millisecond {
				b.Errorf("%s started %v after the end of %s, want 300ms, its completion", l, gap, before)
			}
		}
	})
}

// A group stands still while the completion of its head cannot be recorded,
// also over a crash: what was done before it is not done again, what comes
// behind waits.
func TestFIFOCrashBeforeCompletion(t *testing.T) {
	bubble(t, setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "5"}, guard: dedupe.Options{Lease: 5 * time.Second}}, func(b *bed) {
		b.repeats = true // the completion was lost
		b.sendGroups(1, 10)
		down := func(ops []dedupe.Op) error {
			if b.ledger.finished("g0-4") > 0 {
				return errNo
			}
			return nil
		}
		b.store.fail(down)
		r := b.start(takes(20*time.Millisecond), sqssource.Options{AbandonPolls: true, DrainTimeout: time.Second})
		b.until("the fifth has run", func() bool { return b.ledger.finished("g0-4") > 0 })
		b.server.Fault(func(string, sqstest.Request) sqstest.Action { return sqstest.Action{DropRequest: true} })
		time.Sleep(time.Second)
		r.stop()
		if n := b.ledger.runs(); n != 5 {
			b.Errorf("got %d runs by the first poller, want 5", n)
		}
		b.server.Fault(nil)
		b.store.fail(nil)
		b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantOrder()
		if n := b.ledger.runs(); n != 11 {
			b.Errorf("got %d runs, want 11: the fifth twice", n)
		}
	})
}

// Each receive from a FIFO queue has a request attempt id of its own, which
// the SDK's retries of it share: a lost answer brings its messages at once.
func TestFIFOAttemptID(t *testing.T) {
	for queue, is := range map[string]bool{fifo: true, "orders": false} {
		bubble(t, setting{queue: queue, attrs: attrs{"VisibilityTimeout": "300"}}, func(b *bed) {
			b.sendGroups(1, 10)
			var mu sync.Mutex
			ids := make(map[string]int)
			lost := 0
			b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
				if op != "ReceiveMessage" {
					return a
				}
				var in sqs.ReceiveMessageInput
				_ = json.Unmarshal(req.Input, &in)
				mu.Lock()
				defer mu.Unlock()
				if in.ReceiveRequestAttemptId != nil {
					ids[*in.ReceiveRequestAttemptId]++
				}
				a.DropResponse = lost < 2
				lost++
				return a
			})
			b.start(takes(20*time.Millisecond), sqssource.Options{})
			if is {
				b.drain()
				if took := b.since(); took > time.Minute {
					b.Errorf("took %v although two answers were lost, want the pauses of the SDK at most, not a visibility timeout", took)
				}
				b.wantOrder()
				b.once(10)
			}
			time.Sleep(time.Minute)
			b.drain()
			mu.Lock()
			defer mu.Unlock()
			most := 0
			for _, n := range ids {
				most = max(most, n)
			}
			if is && (most != 3 || len(ids) != lost-2) || !is && len(ids) != 0 {
				b.Errorf("%s: got ids %v for %d requests, want one for the first three and one for each other on a FIFO queue, none else", queue, ids, lost)
			}
		})
	}
}

// An envelope is taken off once for each run: messages that run later than
// they came are decoded from what SQS delivered.
func TestFIFODecodesEachRunAnew(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.store.fail(func([]dedupe.Op) error { return errNo })
		time.AfterFunc(time.Minute, func() { b.store.fail(nil) })
		for i := range 3 {
			b.send(fmt.Sprintf(`{"id":"e%d","source":"shop","detail-type":"order","detail":{"n":%d}}`, i, i), group("g"))
		}
		b.sent = nil // their labels are their details
		r := b.start(failing(1, errNo), sqssource.Options{Decode: sources.EventBridge})
		b.drain()
		want := []string{`{"n":0}`, `{"n":0}`, `{"n":1}`, `{"n":1}`, `{"n":2}`, `{"n":2}`}
		if !slices.Equal(b.ledger.order, want) {
			b.Errorf("runs: got %q, want %q", b.ledger.order, want)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 3, Done: 3})
	})
}

// numbered gives messages the sequence numbers that their bodies end with, and
// 5 more, so that one receive brings both 9 and 10.
type numbered struct{ sqssource.Client }

func (c numbered) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := c.Client.ReceiveMessage(ctx, in, o...)
	if err == nil {
		for _, m := range out.Messages {
			n, _ := strconv.Atoi(strings.TrimPrefix(*m.Body, "g0-"))
			m.Attributes[string(types.MessageSystemAttributeNameSequenceNumber)] = strconv.Itoa(n + 5)
		}
	}
	return out, err
}

// Sequence numbers are numbers: 10 comes after 9.
func TestFIFOSequenceNumbers(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(1, 12)
		b.run(sqssource.New(numbered{b.client}, b.url, b.guard, b.ledger.handler(takes(time.Millisecond)), sqssource.Options{}))
		b.drain()
		b.wantOrder()
	})
}
