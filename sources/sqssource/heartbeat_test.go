package sqssource_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// only fails requests of one operation in one way.
func only(op string, a sqstest.Action) sqstest.FaultFunc {
	return func(o string, _ sqstest.Request) sqstest.Action {
		if o == op {
			return a
		}
		return sqstest.Action{}
	}
}

const (
	change = "ChangeMessageVisibilityBatch"
	remove = "DeleteMessageBatch"
)

// Twenty messages whose handlers take longer than the visibility timeout are
// run twenty times, none twice at once, however stale handles behave, and ten
// are extended in one request.
func TestHandlerLongerThanVisibility(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		bubble(t, setting{server: sqstest.Options{IgnoreStaleDelete: ignore}, attrs: attrs{"VisibilityTimeout": "2"}, noGuard: true}, func(b *bed) {
			b.sendMany(20)
			r := b.start(takes(5*time.Second), sqssource.Options{})
			time.Sleep(22 * time.Second)
			b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
			b.once(20)
			if n, e := len(b.requests(change)), b.entries(change); n > 12 || e < 60 {
				b.Errorf("heartbeats: got %d entries in %d requests, want 60 at least in 12 at most", e, n)
			}
		})
	}
}

// Messages that came one after another share heartbeats.
func TestHeartbeatsAreShared(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "60"}}, func(b *bed) {
		b.start(takes(5*time.Minute), sqssource.Options{})
		for range 20 {
			b.sendMany(1)
			time.Sleep(300 * time.Millisecond)
		}
		b.drain()
		if n, e := len(b.requests(change)), b.entries(change); e < 9*20 || n > e/5 {
			b.Errorf("heartbeats: got %d entries in %d requests, want 180 at least, five in a request at least", e, n)
		}
		b.once(20)
	})
}

// A handler of hours keeps its message, with at most a request every half of
// the visibility timeout.
func TestHandlerOfHours(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "600"}}, func(b *bed) {
		b.sendMany(1)
		r := b.start(obeys(11*time.Hour+50*time.Minute), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 1, Done: 1})
		b.once(1)
		if n := len(b.requests(change)); n > 12*12 {
			b.Errorf("heartbeats: got %d requests, want one every 5 minutes at most", n)
		}
	})
}

// Twelve hours after its receive a message cannot be extended any more: its
// handler's context ends with ErrVisibilityLost before the message is visible.
func TestTwelveHourCap(t *testing.T) {
	for _, vt := range []string{"600", "43200"} {
		bubble(t, setting{attrs: attrs{"VisibilityTimeout": vt}}, func(b *bed) {
			b.sendMany(1)
			b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
				if op == "ReceiveMessage" {
					a.DelayResponse = 400 * time.Millisecond
				}
				return a
			})
			var ended time.Duration
			var cause error
			r := b.start(func(ctx context.Context, rec *consumer.Record) error {
				if rec.Attempt > 1 {
					return nil
				}
				select {
				case <-ctx.Done():
				case <-time.After(13 * time.Hour):
				}
				ended, cause = b.since(), context.Cause(ctx)
				return cause
			}, sqssource.Options{})
			b.drain()
			r.stop()
			if !errors.Is(cause, sqssource.ErrVisibilityLost) || ended > 12*time.Hour || ended < 12*time.Hour-5*time.Second {
				b.Errorf("visibility timeout %s: handler ended after %v with %v, want just before 12h with %v", vt, ended, cause, sqssource.ErrVisibilityLost)
			}
			wantSeen[consumer.VisibilityLost](b, 1)
		})
	}
}

// Messages that wait in the process for their tenant's turn are extended too.
func TestWaitingMessagesAreExtended(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "3"}, noGuard: true}, func(b *bed) {
		for i := range 10 {
			b.send(fmt.Sprint("m", i), group("tenant"))
		}
		r := b.start(takes(4*time.Second), sqssource.Options{TenantLimit: 1})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 10, Done: 10})
		b.once(10)
		if b.ledger.peak != 1 {
			b.Errorf("got %d of one tenant at once, want 1", b.ledger.peak)
		}
	})
}

// Heartbeats that fail are tried again until the deadline, whatever the
// failure: the message stays where it is.
func TestHeartbeatRetries(t *testing.T) {
	entries := make(map[int]*sqstest.Error)
	for i := range 10 {
		entries[i] = &sqstest.Error{Code: "InternalError"}
	}
	for name, bad := range map[string]sqstest.Action{
		"throttled": {Err: &sqstest.Error{Code: "RequestThrottled"}},
		"500":       {Err: &sqstest.Error{Code: "InternalFailure"}},
		"broken":    {DropRequest: true},
		"hanging":   {Delay: 5 * time.Second},
		"entries":   {FailEntries: entries},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{attrs: attrs{"VisibilityTimeout": "12"}, noGuard: true}, func(b *bed) {
				b.sendMany(15)
				b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
					// From 5 s to 9 s in each 12 s nothing goes through.
					if at := b.since() % (12 * time.Second); op == change && at > 5*time.Second && at < 9*time.Second {
						return bad
					}
					return sqstest.Action{}
				})
				r := b.start(obeys(100*time.Second), sqssource.Options{})
				b.drain()
				b.wantReport(r.stop(), sqssource.Report{Received: 15, Done: 15})
				b.once(15)
				wantSeen[consumer.VisibilityLost](b, 0)
			})
		})
	}
}

// A request that is never answered does not use up the time that there is to
// extend a message.
func TestHeartbeatBlackHole(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "10"}, noGuard: true}, func(b *bed) {
		b.sendMany(5)
		var n atomic.Int64
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			if op == change && n.Add(1)%2 == 1 {
				a.Delay = time.Hour
			}
			return a
		})
		r := b.start(obeys(time.Minute), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 5, Done: 5})
		wantSeen[consumer.VisibilityLost](b, 0)
	})
}

// When nothing goes through until the deadline, the handler's context ends
// with ErrVisibilityLost before the message can be received by others.
func TestVisibilityLost(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		bubble(t, setting{attrs: attrs{"VisibilityTimeout": "20"}, noGuard: !guarded}, func(b *bed) {
			b.sendMany(3)
			b.server.Fault(only(change, sqstest.Action{Err: &sqstest.Error{Code: "InternalFailure"}}))
			r := b.start(func(ctx context.Context, rec *consumer.Record) error {
				if rec.Attempt > 1 {
					return nil
				}
				return obeys(time.Hour)(ctx, rec)
			}, sqssource.Options{})
			time.Sleep(19*time.Second + 900*time.Millisecond)
			synctest.Wait()
			for _, e := range wantSeen[consumer.VisibilityLost](b, 3) {
				if e.Err == nil {
					b.Errorf("visibility_lost without a reason")
				}
			}
			if n := b.ledger.handling(); n != 0 {
				b.Errorf("got %d handlers just before the messages are visible, want 0", n)
			}
			failed := seen[consumer.Failed](b)
			if len(failed) != 3 || !errors.Is(failed[0].Err, sqssource.ErrVisibilityLost) {
				b.Errorf("failed: got %v, want three because of %v", failed, sqssource.ErrVisibilityLost)
			}
			b.server.Fault(nil)
			b.drain()
			if rep := r.stop(); rep.Done != 3 || rep.Failed != 3 {
				b.Errorf("report: got %+v, want 3 done and 3 failed", rep)
			}
		})
	}
}

// A receipt handle that SQS refuses ends the handler's context at once.
func TestHandleInvalid(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "60"}}, func(b *bed) {
		b.sendMany(1)
		b.server.Fault(only(change, sqstest.Action{FailEntries: map[int]*sqstest.Error{0: {Code: "ReceiptHandleIsInvalid"}}}))
		var cause error
		b.start(func(ctx context.Context, rec *consumer.Record) error {
			if rec.Attempt > 1 {
				return nil
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		}, sqssource.Options{})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		wantSeen[consumer.VisibilityLost](b, 1)
		if !errors.Is(cause, sqssource.ErrVisibilityLost) {
			b.Errorf("cause: got %v, want %v", cause, sqssource.ErrVisibilityLost)
		}
		b.server.Fault(nil)
		b.drain()
	})
}

// Without permission to extend messages a poller cannot go on.
func TestHeartbeatDenied(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "60"}}, func(b *bed) {
		b.sendMany(3)
		b.server.Fault(only(change, sqstest.Action{Err: &sqstest.Error{Code: "AccessDenied", Status: 403}}))
		r := b.start(takes(40*time.Second), sqssource.Options{})
		rep, err := r.wait()
		e, ok := errors.AsType[*sqssource.QueueError](err)
		if !ok || e.Op != change {
			b.Errorf("got error %v, want a QueueError of %s", err, change)
		}
		b.wantReport(rep, sqssource.Report{Received: 3, Done: 3})
	})
}

// A return waits for the heartbeat under way, which would undo it, and no
// heartbeat starts while a return waits or is under way.
func TestHeartbeatNeverUndoesABackoff(t *testing.T) {
	for offset := range 41 {
		bubble(t, setting{attrs: attrs{"VisibilityTimeout": "20"}}, func(b *bed) {
			b.sendMany(12) // the others keep the poller busy, so that returns wait for company
			b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
				switch {
				case op == change && len(req.Entries) > 1: // heartbeats
					a.Delay = 37 * time.Millisecond
				case op == change: // the return is there before its answer
					a.DelayResponse = 37 * time.Millisecond
				}
				return a
			})
			fails := 10*time.Second - 30*time.Millisecond + time.Duration(offset)*time.Millisecond
			var ended time.Duration
			b.start(func(_ context.Context, rec *consumer.Record) error {
				if rec.Attempt > 1 {
					return nil
				}
				if string(rec.Body) != "m0" {
					time.Sleep(15 * time.Second)
					return nil
				}
				time.Sleep(fails)
				ended = b.since()
				return consumer.RetryAfter(2*time.Second, errNo)
			}, sqssource.Options{})
			b.drain()
			again := b.ledger.starts["m0"]
			if len(again) != 2 || again[1]-ended > 2300*time.Millisecond {
				b.Errorf("failed after %v, to come back 2 s later: started at %v", fails, again)
			}
		})
	}
}

// A delete does not wait for a heartbeat under way, which cannot undo it: what
// was finished is deleted at once, and when the poller stops.
func TestDeleteDoesNotWaitForHeartbeat(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "60"}}, func(b *bed) {
		b.server.Fault(only(change, sqstest.Action{Delay: 24 * time.Hour}))
		b.sendMany(20)
		r := b.start(takes(31*time.Second), sqssource.Options{AbandonPolls: true})
		time.Sleep(30500 * time.Millisecond)
		r.cancel()
		time.Sleep(time.Second)
		if n := b.server.Stats(b.queue).Total(); n > 0 {
			b.Errorf("got %d messages in the queue half a second after their handlers, want 0", n)
		}
		b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		b.once(20)
	})
}

// While the answer to a return is on its way no heartbeat is sent, which would
// undo what the return has done.
func TestNoHeartbeatBesideAReturn(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "20"}}, func(b *bed) {
		b.sendMany(1)
		b.server.Fault(only(change, sqstest.Action{DelayResponse: time.Second}))
		b.start(func(_ context.Context, rec *consumer.Record) error {
			if rec.Attempt > 1 {
				return nil
			}
			time.Sleep(9500 * time.Millisecond) // its heartbeat is due half a second later
			return consumer.RetryAfter(2*time.Second, errNo)
		}, sqssource.Options{})
		b.drain()
		if at := b.ledger.starts["m0"]; len(at) != 2 || at[1] > 12*time.Second {
			b.Errorf("failed after 9.5 s, to come back 2 s later: started at %v", at)
		}
	})
}

// A heartbeat holds from when it was sent, not from its answer: if no other
// goes through, the handler's context ends before others can receive the
// message.
func TestHeartbeatHoldsFromItsRequest(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "20"}, noGuard: true}, func(b *bed) {
		b.sendMany(1)
		var sent atomic.Int64
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			if op == change {
				a.DelayResponse = 2 * time.Second
				if sent.Add(1) > 1 {
					a = sqstest.Action{Err: &sqstest.Error{Code: "InternalFailure"}}
				}
			}
			return a
		})
		b.start(func(ctx context.Context, rec *consumer.Record) error {
			if rec.Attempt > 1 {
				return nil
			}
			return obeys(time.Hour)(ctx, rec)
		}, sqssource.Options{})
		time.Sleep(30*time.Second - time.Millisecond) // the heartbeat was sent after 10 s
		synctest.Wait()
		wantSeen[consumer.VisibilityLost](b, 1)
		if n := b.ledger.handling(); n != 0 {
			b.Errorf("got %d handlers just before the message is visible, want 0", n)
		}
		b.server.Fault(nil)
		b.drain()
	})
}

// The dedupe lease is kept with the visibility timeout: a second process finds
// neither the message nor the claim free.
func TestLeaseAndVisibilityTogether(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "5"}, guard: dedupe.Options{Lease: 5 * time.Second}}, func(b *bed) {
		b.sendMany(10)
		b.start(takes(time.Minute), sqssource.Options{Concurrency: 5})
		b.start(takes(time.Minute), sqssource.Options{Concurrency: 5})
		b.drain()
		b.once(10)
		wantSeen[consumer.InProgress](b, 0)
	})
}
