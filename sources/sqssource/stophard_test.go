package sqssource_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// hung answers nothing for a day.
func hung(string, sqstest.Request) sqstest.Action { return sqstest.Action{Delay: 24 * time.Hour} }

// Run returns in bounded time although the store hangs: what it could not
// complete is not deleted.
func TestStopWhileStoreHangs(t *testing.T) {
	for _, queue := range []string{"orders", fifo} {
		bubble(t, setting{queue: queue}, func(b *bed) {
			b.repeats = true // completions are lost
			b.sendGroups(2, 5)
			for _, when := range []time.Duration{500 * time.Millisecond, 0} {
				b.hang(time.Now().Add(when))
				r := b.start(takes(time.Second), sqssource.Options{AbandonPolls: true})
				time.Sleep(700 * time.Millisecond)
				began := b.since()
				rep := r.stop()
				if took := b.since() - began; took > 45*time.Second || rep.Done != 0 || rep.Unsettled != 0 {
					b.Errorf("%s: took %v, report %+v; want 45s at most, nothing done, all returned", queue, took, rep)
				}
				b.hang(time.Time{})
			}
			b.start(takes(0), sqssource.Options{})
			b.drain()
		})
	}
}

// hang lets the store hang from some time on; the zero time ends that.
func (b *bed) hang(from time.Time) {
	if from.IsZero() {
		b.store.fail(nil)
		return
	}
	b.store.fail(func([]dedupe.Op) error {
		if time.Now().Before(from) {
			return nil
		}
		time.Sleep(5 * time.Second) // the guard's StoreTimeout
		return errNo
	})
}

// Run returns in bounded time although SQS hangs, and counts what it could not
// settle.
func TestStopWhileQueueHangs(t *testing.T) {
	for _, abandon := range []bool{false, true} {
		bubble(t, setting{}, func(b *bed) {
			b.sendMany(30)
			r := b.start(takes(time.Second), sqssource.Options{AbandonPolls: abandon})
			time.Sleep(500 * time.Millisecond)
			b.server.Fault(hung)
			began := b.since()
			rep := r.stop()
			most := 12 * time.Second // a handler, five seconds for deletes, a request under way
			if !abandon {
				most += 21 * time.Second
			}
			if took := b.since() - began; took > most {
				b.Errorf("took %v, want %v at most", took, most)
			}
			b.wantReport(rep, sqssource.Report{Received: 30, Unsettled: 30})
			b.server.Fault(nil)
			b.start(takes(0), sqssource.Options{})
			b.drain()
			b.once(30)
		})
	}
}

// While SQS and handlers both hang, the bound is the longer of the two and
// the five seconds each.
func TestStopWhileAllHangs(t *testing.T) {
	bubble(t, setting{queue: fifo, receives: 3}, func(b *bed) {
		b.repeats = true
		b.sendGroups(5, 4)
		r := b.start(takes(time.Hour), sqssource.Options{})
		time.Sleep(500 * time.Millisecond)
		b.server.Fault(hung)
		began := b.since()
		rep := r.stop()
		if took := b.since() - began; took > 50*time.Second || rep.Unsettled != rep.Received {
			b.Errorf("took %v, report %+v; want 50s at most, all unsettled", took, rep)
		}
		b.server.Fault(nil)
		b.start(takes(0), sqssource.Options{})
		b.drain()
		time.Sleep(2 * time.Hour)
	})
}

// A poller runs once at a time, and again when Run has returned.
func TestRunAgain(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		p := sqssource.New(b.client, b.url, b.guard, b.ledger.handler(takes(0)))
		for range 3 {
			b.sendMany(20)
			r := b.run(p)
			b.drain()
			if _, err := p.Run(b.Context()); !errors.Is(err, sqssource.ErrRunning) {
				b.Errorf("a second Run: got %v, want ErrRunning", err)
			}
			b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		}
		b.once(60)
	})
}

// Run under a context that has ended returns at once and receives nothing.
func TestRunAfterTheEnd(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(5)
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		rep, err := sqssource.New(b.client, b.url, b.guard, takes(0)).Run(ctx)
		if err != nil || rep != (sqssource.Report{}) || b.since() > 0 || len(b.requests("ReceiveMessage")) > 0 {
			b.Errorf("got %+v, %v after %v and %d receives, want nothing", rep, err, b.since(), len(b.requests("ReceiveMessage")))
		}
		b.left[b.queue] = 5
	})
}

// A context that ends while the queue does not answer what it is like ends Run.
func TestStopDuringSetup(t *testing.T) {
	for name, fault := range map[string]sqstest.FaultFunc{
		"hangs": hung,
		"fails": func(string, sqstest.Request) sqstest.Action {
			return sqstest.Action{Err: &sqstest.Error{Code: "InternalFailure"}}
		},
	} {
		bubble(t, setting{}, func(b *bed) {
			b.server.Fault(fault)
			r := b.start(takes(0), sqssource.Options{})
			time.Sleep(5 * time.Minute)
			began := b.since()
			b.wantReport(r.stop(), sqssource.Report{})
			if took := b.since() - began; took > time.Second {
				b.Errorf("%s: took %v, want no time", name, took)
			}
		})
	}
}

// wantQueueError waits for Run to end with a QueueError of that operation, or
// of any.
func (r *running) wantQueueError(op string) sqssource.Report {
	r.b.Helper()
	rep, err := r.wait()
	if e, ok := errors.AsType[*sqssource.QueueError](err); !ok || op != "" && e.Op != op || e.URL != r.b.url || e.Unwrap() == nil {
		r.b.Errorf("Run: got %v, want a QueueError %s on %s", err, op, r.b.url)
	}
	return rep
}

// When the queue is deleted in the middle of work, Run ends with a QueueError
// after what runs has come to its end.
func TestQueueDeletedInMidRun(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(200)
		r := b.start(takes(5*time.Second), sqssource.Options{})
		time.Sleep(time.Second)
		if _, err := b.client.DeleteQueue(b.Context(), &sqs.DeleteQueueInput{QueueUrl: &b.url}); err != nil {
			b.Fatal(err)
		}
		delete(b.urls, b.queue)
		rep := r.wantQueueError("")
		n := b.ledger.runs()
		for _, l := range b.sent {
			if b.ledger.finished(l) != b.ledger.ran(l) {
				b.Errorf("%s was cut off", l)
			}
		}
		if rep.Received < n || rep.Unsettled < n || rep.Done != 0 {
			b.Errorf("report: got %+v, want the %d that ran unsettled", rep, n)
		}
		b.sent = nil // gone with their queue
	})
}

// Access that is denied in the middle of work ends Run with a QueueError after
// a clean drain.
func TestAccessDenied(t *testing.T) {
	for _, op := range []string{"ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueAttributes"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, setting{}, func(b *bed) {
				b.sendMany(20)
				denied := func(o string, _ sqstest.Request) (a sqstest.Action) {
					if o == op {
						a.Err = &sqstest.Error{Code: "AccessDenied", Status: 403}
					}
					return a
				}
				if op == "ReceiveMessage" {
					time.AfterFunc(time.Second, func() { b.server.Fault(denied) })
				} else {
					b.server.Fault(denied)
				}
				r := b.start(obeys(16*time.Second), sqssource.Options{})
				rep := r.wantQueueError(op)
				if cut := b.ledger.runs(); op != "GetQueueAttributes" && cut != 20 || rep.Received != cut {
					b.Errorf("got %d runs, report %+v, want 20 and none started after", cut, rep)
				}
				if (op == "ReceiveMessage" || op == "ChangeMessageVisibilityBatch") && rep.Done != 20 {
					b.Errorf("report: got %+v, want all 20 done", rep)
				}
				if op == "DeleteMessageBatch" && rep.Unsettled != 20 {
					b.Errorf("report: got %+v, want all 20 unsettled", rep)
				}
				b.server.Fault(nil)
				b.start(takes(0), sqssource.Options{})
				b.drain()
				synctest.Wait()
				b.once(20)
			})
		})
	}
}
