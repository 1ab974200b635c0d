package sqssource_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// leaver counts the receives that its client left while they were under way.
type leaver struct {
	*meter
	left atomic.Int32
}

func (l *leaver) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := l.meter.ReceiveMessage(ctx, in, o...)
	if err != nil && ctx.Err() != nil {
		l.left.Add(1)
	}
	return out, err
}

// A stop in the middle of work leaves nothing invisible, nothing that was
// handled undeleted, and cuts nobody off.
func TestBusyStop(t *testing.T) {
	for name, edit := range map[string]func(*sqssource.Options){
		"plain":   func(*sqssource.Options) {},
		"abandon": func(o *sqssource.Options) { o.AbandonPolls = true },
		"tenants": func(o *sqssource.Options) { o.TenantLimit = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{}, func(b *bed) {
				var o sqssource.Options
				if edit(&o); o.TenantLimit > 0 {
					for i := range 100 {
						b.sendRange(fmt.Sprint("g", i), 0, 30)
					}
				} else {
					b.sendMany(3000)
				}
				r := b.start(func(ctx context.Context, rec *consumer.Record) error {
					err := takes(300*time.Millisecond)(ctx, rec)
					if ctx.Err() != nil {
						b.Errorf("%s was cut off: %v", rec.Body, context.Cause(ctx))
					}
					return err
				}, o)
				time.Sleep(2 * time.Second)
				rep := r.stop()
				if took := b.since() - 2*time.Second; took > 400*time.Millisecond {
					b.Errorf("the stop took %v, want 400ms at most: a handler and a delete", took)
				}
				s := b.server.Stats(b.queue)
				if s.InFlight != 0 || s.Visible != 3000-b.ledger.runs() || rep.Done != b.ledger.runs() || rep.Unsettled != 0 {
					b.Errorf("after the stop: %+v, %d runs, report %+v; want none in flight, all that ran deleted", s, b.ledger.runs(), rep)
				}
				b.left[b.queue] = s.Visible
			})
		})
	}
}

// A FIFO queue is left as clean: groups in the middle of their turn give back
// what has not started, and order holds for the next poller.
func TestBusyStopFIFO(t *testing.T) {
	bubble(t, setting{queue: fifo}, func(b *bed) {
		b.sendGroups(30, 20)
		for range 10 { // one deploy after another
			r := b.start(takes(300*time.Millisecond), sqssource.Options{})
			time.Sleep(700 * time.Millisecond)
			rep := r.stop()
			if s := b.server.Stats(b.queue); s.InFlight != 0 || rep.Unsettled != 0 || rep.Failed != 0 {
				b.Errorf("after a stop: %+v, report %+v; want none in flight, unsettled or failed", s, rep)
			}
		}
		b.start(takes(300*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantOrder()
		b.once(600)
	})
}

// An idle poller waits for its long poll, or abandons it, by option.
func TestIdleStop(t *testing.T) {
	for _, abandon := range []bool{false, true} {
		bubble(t, setting{}, func(b *bed) {
			client := &leaver{meter: b.client}
			r := b.run(sqssource.New(client, b.url, b.guard, takes(0), sqssource.Options{AbandonPolls: abandon, Wait: 7 * time.Second}))
			time.Sleep(time.Minute)
			began := b.since()
			r.stop()
			took, left := b.since()-began, client.left.Load()
			switch {
			case abandon && (took > 10*time.Millisecond || left != 1):
				b.Errorf("abandoned polls: took %v and %d polls, want no time and one", took, left)
			case !abandon && (took > 8*time.Second || left != 0):
				b.Errorf("took %v and abandoned %d polls, want 8s at most and none", took, left)
			}
		})
	}
}

// After a burst the polls of several receivers are waited for as well.
func TestIdleStopAfterBurst(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(500)
		client := &leaver{meter: b.client}
		r := b.run(sqssource.New(client, b.url, b.guard, b.ledger.handler(takes(0))))
		b.drain()
		began := b.since()
		r.stop()
		if took := b.since() - began; took > 21*time.Second || client.left.Load() != 0 {
			b.Errorf("took %v and abandoned %d polls, want 21s at most and none", took, client.left.Load())
		}
	})
}

// What a long poll brings after the stop is released at once.
func TestStopReleasesWhatPollsBring(t *testing.T) {
	for _, queue := range []string{"orders", fifo} {
		bubble(t, setting{queue: queue, attrs: attrs{"VisibilityTimeout": "300"}}, func(b *bed) {
			r := b.start(takes(0), sqssource.Options{})
			time.Sleep(time.Minute + 5*time.Second)
			synctest.Wait()
			r.cancel()
			time.Sleep(time.Second)
			b.sendGroups(1, 10)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if s := b.server.Stats(queue); s.Visible != 10 {
				b.Errorf("%s: 100 ms after they came: got %+v, want 10 visible", queue, s)
			}
			rep := r.stop()
			if rep.Released != rep.Received || rep.Received == 0 || b.ledger.runs() != 0 {
				b.Errorf("%s: report %+v, %d runs; want all released, none run", queue, rep, b.ledger.runs())
			}
			b.left[queue] = 10
		})
	}
}

// Groups that wait for a failed head are released, the head with the rest of
// its backoff.
func TestStopReleasesWaitingGroups(t *testing.T) {
	bubble(t, setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "300"}}, func(b *bed) {
		b.sendGroups(3, 5)
		r := b.start(heads(1, consumer.RetryAfter(9*time.Second, errNo)), sqssource.Options{AbandonPolls: true})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.wantReport(r.stop(), sqssource.Report{Received: 15, Failed: 3, Released: 12})
		if s := b.server.Stats(b.queue); s.Visible != 12 || s.InFlight != 3 {
			b.Errorf("after the stop: got %+v, want 12 visible, the heads in flight", s)
		}
		b.start(takes(0), sqssource.Options{})
		b.drain()
		b.wantOrder()
		if at := b.ledger.starts["g1-0"]; len(at) != 2 || at[1] < 8900*time.Millisecond || at[1] > 11*time.Second {
			b.Errorf("head at %v, want again after 9s", at)
		}
	})
}

// Heartbeats go on while handlers drain.
func TestStopKeepsHeartbeats(t *testing.T) {
	bubble(t, short("orders"), func(b *bed) {
		b.sendMany(20)
		r := b.start(obeys(20*time.Second), sqssource.Options{})
		time.Sleep(time.Second)
		r.cancel()
		other := b.start(obeys(20*time.Second), sqssource.Options{})
		b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		b.wantReport(other.stop(), sqssource.Report{})
		b.once(20)
	})
}

// Handlers whose DrainTimeout has passed are told so, and have five seconds
// more; those that ignore it are given up, and Run returns.
func TestDrainTimeout(t *testing.T) {
	for _, queue := range []string{"orders", fifo} {
		bubble(t, setting{queue: queue}, func(b *bed) {
			b.repeats = true // a handler that is given up may succeed
			b.sendGroups(2, 3)
			causes := make(chan error, 10)
			r := b.start(func(ctx context.Context, rec *consumer.Record) error {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				if rec.Group == "g0" {
					time.Sleep(time.Hour) // ignores it
				}
				return context.Cause(ctx)
			}, sqssource.Options{DrainTimeout: 3 * time.Second, AbandonPolls: true})
			time.Sleep(time.Second)
			rep := r.stop()
			if took := b.since() - time.Second; took < 8*time.Second || took > 9*time.Second {
				b.Errorf("%s: the stop took %v, want 3s and 5s", queue, took)
			}
			for range len(causes) {
				if err := <-causes; !errors.Is(err, sqssource.ErrDraining) {
					b.Errorf("%s: cause %v, want ErrDraining", queue, err)
				}
			}
			if rep.Failed != b.ledger.runs() || rep.Failed+rep.Released != 6 {
				b.Errorf("%s: report %+v, want the %d that ran failed, others released", queue, rep, b.ledger.runs())
			}
			b.start(takes(0), sqssource.Options{})
			b.drain()
			time.Sleep(2 * time.Hour)
		})
	}
}

// Deletes come last, and are tried again.
func TestStopFlushesDeletes(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(40)
		var count atomic.Int32
		b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
			if op != "DeleteMessageBatch" {
				return a
			}
			switch n := count.Add(1); {
			case n > 12:
			case n%3 == 0:
				a.Err = &sqstest.Error{Code: "ServiceUnavailable"}
			case n%3 == 1:
				a.FailEntries = map[int]*sqstest.Error{0: {Code: "InternalError"}, len(req.Entries) - 1: {Code: "InternalError"}}
			default:
				a.DropResponse = true
			}
			return a
		})
		r := b.start(takes(time.Second), sqssource.Options{AbandonPolls: true})
		time.Sleep(500 * time.Millisecond)
		b.wantReport(r.stop(), sqssource.Report{Received: 40, Done: 40})
		b.once(40)
	})
}

// What is released at a stop is not received again by long polls of the same
// poller that are still under way: each time would count, up to the dead-letter
// queue.
func TestStopReleasesOnce(t *testing.T) {
	for name, queue := range map[string]string{"what a poll brings": "orders", "tenants": "tenants", "a group": fifo} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{queue: queue, receives: 3}, func(b *bed) {
				h, o, n := takes(0), sqssource.Options{}, 1
				if queue != "orders" {
					h, o, n = takes(2*time.Second), sqssource.Options{TenantLimit: 1}, 6
				}
				for i := range 20 { // several receivers
					b.sendRange(fmt.Sprint("burst", i), 0, 10)
				}
				r := b.start(h, o)
				b.drain()
				if queue != "orders" {
					b.sendRange("a", 0, n)
					time.Sleep(time.Second)
				}
				if polls, _ := b.client.now(); polls < 2 {
					b.Fatalf("got %d polls under way, want several", polls)
				}
				r.cancel()
				synctest.Wait()
				if queue == "orders" {
					b.send("late")
				}
				r.stop()
				for _, m := range b.server.Messages(b.queue) {
					if m.ReceiveCount > 1 {
						b.Errorf("%s: received %d times, want once at most", m.Body, m.ReceiveCount)
					}
				}
				if s := b.server.Stats(b.queue); s.InFlight != 0 || s.Visible == 0 {
					b.Errorf("after the stop: got %+v, want some visible and none in flight", s)
				}
				b.left[b.queue] = b.server.Stats(b.queue).Total()
			})
		})
	}
}
