package sqssource_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// refused counts the requests that the server answered with an error.
func (b *bed) refused() map[string]int {
	out := make(map[string]int)
	for _, e := range b.server.History() {
		if e.Code != "" {
			out[e.Op+" "+e.Code]++
		}
	}
	return out
}

// Deletes share requests: ten to one on a busy queue; one that has no company
// goes at once when nothing else runs, else after a few milliseconds.
func TestDeletesShareRequests(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(1000)
		var ended atomic.Int64 // the latest handler
		b.start(func(_ context.Context, rec *consumer.Record) error {
			if string(rec.Body) == "long" {
				time.Sleep(time.Second)
			}
			time.Sleep(20 * time.Millisecond)
			ended.Store(time.Now().UnixNano())
			return nil
		}, sqssource.Options{})
		b.drain()
		if n := len(b.requests(remove)); n > 120 {
			b.Errorf("deletes of 1000 messages: got %d requests, want at most 120", n)
		}
		for _, c := range []struct {
			sent []string
			most time.Duration
		}{{[]string{"alone"}, time.Millisecond}, {[]string{"long", "beside"}, 6 * time.Millisecond}} {
			n := len(b.requests(remove))
			for _, body := range c.sent {
				b.send(body)
			}
			b.until("it is deleted", func() bool { return len(b.requests(remove)) > n })
			if took := b.requests(remove)[n].Time.Sub(time.Unix(0, ended.Load())); took > c.most {
				b.Errorf("%s was deleted %v after its handler, want %v at most", c.sent, took, c.most)
			}
			b.drain()
		}
	})
}

// A message that comes again while it is here, in the same receive or in
// another, is run once and deleted, and no request is refused.
func TestSameMessageTwice(t *testing.T) {
	for _, o := range []sqstest.Options{
		{Duplicate: 0.2}, {Duplicate: 0.2, IgnoreStaleDelete: true}, {Duplicate: 1}, {Duplicate: 1, Redeliver: 0.2, Reorder: true},
	} {
		bubble(t, setting{server: o, attrs: attrs{"VisibilityTimeout": "5"}}, func(b *bed) {
			b.sendMany(200)
			r := b.start(takes(200*time.Millisecond), sqssource.Options{})
			b.drain()
			time.Sleep(20 * time.Second)
			rep := r.stop()
			if rep.Done != 200 || rep.Duplicates == 0 || rep.Failed+rep.Unsettled+rep.Released > 0 {
				b.Errorf("%+v: report %+v, want 200 done and the rest duplicates", o, rep)
			}
			b.once(200)
			if bad := b.refused(); len(bad) > 0 {
				b.Errorf("%+v: refused requests: %v, want none", o, bad)
			}
		})
	}
}

// sameReceive answers the first receive with each message twice, as SQS may.
type sameReceive struct {
	sqssource.Client
	done atomic.Bool
}

func (c *sameReceive) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := c.Client.ReceiveMessage(ctx, in, o...)
	if err == nil && c.done.CompareAndSwap(false, true) {
		out.Messages = append(out.Messages, out.Messages...)
	}
	return out, err
}

// So it is in one receive, with a guard and without.
func TestSameMessageTwiceInOneReceive(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		bubble(t, setting{noGuard: !guarded}, func(b *bed) {
			b.sendMany(10)
			r := b.run(sqssource.New(&sameReceive{Client: b.client}, b.url, b.guard, b.ledger.handler(takes(time.Second)), sqssource.Options{Observer: b.events}))
			b.drain()
			b.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 10, Duplicates: 10})
			b.once(10)
			wantSeen[consumer.Redelivered](b, 10)
			if bad := b.refused(); len(bad) > 0 {
				b.Errorf("refused requests: %v, want none", bad)
			}
		})
	}
}

// The newest receipt handle is the one that deletes and extends: an older one
// may do nothing.
func TestNewestHandleIsAdopted(t *testing.T) {
	bubble(t, setting{server: sqstest.Options{IgnoreStaleDelete: true}, attrs: attrs{"VisibilityTimeout": "10"}, noGuard: true}, func(b *bed) {
		b.sendMany(20)
		// No heartbeat gets through in the first 12 s: all come again.
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			a.DropRequest = op == change && b.since() < 12*time.Second
			return a
		})
		r := b.start(takes(45*time.Second), sqssource.Options{})
		time.Sleep(time.Minute)
		b.wantReport(r.stop(), sqssource.Report{Received: 40, Done: 20, Duplicates: 20})
		b.once(20)
	})
}

// When one in twenty deletes is refused, it is tried again: nothing is
// handled again.
func TestFailedDeleteEntries(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "3"}, noGuard: true}, func(b *bed) {
		b.sendMany(1000)
		var n atomic.Int64
		b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
			if op == remove {
				a.FailEntries = make(map[int]*sqstest.Error)
				for i := range req.Entries {
					if n.Add(1)%20 == 0 {
						a.FailEntries[i] = &sqstest.Error{Code: "InternalError"}
					}
				}
			}
			return a
		})
		r := b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 1000, Done: 1000})
		b.once(1000)
	})
}

// Requests to settle that fail as a whole, or whose answer is lost, are made
// again.
func TestSettlingTrouble(t *testing.T) {
	for name, bad := range map[string]sqstest.Action{
		"throttled": {Err: &sqstest.Error{Code: "RequestThrottled"}},
		"500":       {Err: &sqstest.Error{Code: "InternalFailure"}},
		"broken":    {DropRequest: true},
		"lost":      {DropResponse: true},
		"truncated": {Truncate: true},
		"hanging":   {Delay: 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{}, func(b *bed) {
				b.sendMany(40)
				b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
					if (op == remove || op == change) && b.since() < 15*time.Second {
						return bad
					}
					return sqstest.Action{}
				})
				r := b.start(failing(1, errNo), sqssource.Options{})
				b.drain()
				if rep := r.stop(); rep.Done != 40 || rep.Failed != 40 {
					b.Errorf("report: got %+v, want 40 failed and 40 done", rep)
				}
				if b.ledger.runs() != 80 {
					b.Errorf("got %d runs, want 80", b.ledger.runs())
				}
			})
		})
	}
}

// A message whose delete fails until its handle is of no use is remembered,
// and deleted without being run when it comes again, with a guard and without.
func TestDeleteFailsForEver(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		bubble(t, setting{noGuard: !guarded, attrs: attrs{"VisibilityTimeout": "20"}}, func(b *bed) {
			b.sendMany(25)
			until := time.Minute
			b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
				a.DropRequest = (op == remove || op == change || op == "ReceiveMessage" && b.since() > time.Second) && b.since() < until
				return a
			})
			r := b.start(takes(0), sqssource.Options{})
			b.drain()
			lost := len(seen[consumer.DeleteFailed](b))
			if rep := r.stop(); rep.Done+rep.Failed > 0 || rep.Duplicates < 25 || rep.Unsettled < 25 || rep.Unsettled != lost {
				b.Errorf("report: got %+v and %d delete_failed, want 25 at least unsettled and told so, then deleted as duplicates", rep, lost)
			}
			b.once(25)
		})
	}
}

// A handle that SQS refuses to delete by is not tried for ever; a delete that
// may have done nothing, since the message was lost before, is remembered too.
func TestDeleteByStaleHandle(t *testing.T) {
	for name, o := range map[string]sqstest.Options{"ignored": {IgnoreStaleDelete: true}, "refused": {}} {
		bubble(t, setting{noGuard: true, server: o, attrs: attrs{"VisibilityTimeout": "10"}}, func(b *bed) {
			b.sendMany(1)
			if name == "refused" {
				b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
					if op == remove && b.since() < 35*time.Second {
						a.FailEntries = map[int]*sqstest.Error{0: {Code: "ReceiptHandleIsInvalid"}}
					} else {
						a.DropRequest = op == change && b.since() < 40*time.Second
					}
					return a
				})
			} else {
				b.server.Fault(func(op string, req sqstest.Request) (a sqstest.Action) {
					other := strings.Contains(string(req.Input), `"VisibilityTimeout":30`)
					a.DropRequest = (op == change || op == "ReceiveMessage" && !other && b.since() > 5*time.Second) && b.since() < 40*time.Second
					return a
				})
			}
			r := b.start(takes(30*time.Second), sqssource.Options{MaxMessages: 1})
			time.Sleep(21 * time.Second)
			// Somebody else has it for a while.
			out, err := b.client.Client.ReceiveMessage(b.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url, VisibilityTimeout: 30})
			if name == "ignored" && (err != nil || len(out.Messages) != 1) {
				b.Fatalf("the other consumer got %v, %v, want one message", out, err)
			}
			b.drain()
			r.stop()
			b.once(1)
		})
	}
}

// A delete that is overtaken by a redelivery, and so may do nothing, is made
// again with the newest handle.
func TestDeleteOvertakenByARedelivery(t *testing.T) {
	bubble(t, setting{noGuard: true, server: sqstest.Options{IgnoreStaleDelete: true}, attrs: attrs{"VisibilityTimeout": "10"}}, func(b *bed) {
		b.sendMany(1)
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			a.DropRequest = op == change
			if op == remove && b.since() < 9*time.Second {
				a.Delay = 4 * time.Second
			}
			return a
		})
		r := b.start(takes(8*time.Second), sqssource.Options{})
		time.Sleep(13 * time.Second)
		b.wantReport(r.stop(), sqssource.Report{Received: 2, Done: 1, Duplicates: 1})
	})
}

// A panic of the handler fails its message alone; so does one of the decoder
// or the key function.
func TestPanics(t *testing.T) {
	bad := func(rec *consumer.Record) {
		if label(string(rec.Body)) == "m3" && rec.Attempt == 1 {
			panic("m3")
		}
	}
	for name, set := range map[string]struct {
		guard dedupe.Options
		o     sqssource.Options
		h     consumer.HandlerFunc
	}{
		"handler":  {h: func(_ context.Context, rec *consumer.Record) error { bad(rec); return nil }},
		"decoder":  {h: takes(0), o: sqssource.Options{Decode: func(rec *consumer.Record) error { bad(rec); return nil }}},
		"key":      {h: takes(0), guard: dedupe.Options{Key: func(w *dedupe.KeyWriter, rec *consumer.Record) error { bad(rec); return dedupe.ID(w, rec) }}},
		"observer": {h: failing(1, errNo), o: sqssource.Options{Observer: consumer.ObserverFunc(func(context.Context, consumer.Event) { panic("observer") })}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{guard: set.guard}, func(b *bed) {
				b.sendMany(20)
				r := b.start(set.h, set.o)
				b.drain()
				if rep := r.stop(); rep.Done != 20 || rep.Failed == 0 {
					b.Errorf("report: got %+v, want 20 done and some failed", rep)
				}
			})
		})
	}
}

// A duplicate of a message that was finished, by this process or another, is
// deleted and not run.
func TestFinishedDuplicateIsDeleted(t *testing.T) {
	bubble(t, setting{guard: dedupe.Options{Key: dedupe.BodyHash}}, func(b *bed) {
		b.sendMany(10)
		first := b.start(takes(time.Second), sqssource.Options{})
		b.drain()
		first.stop()
		b.sent = nil
		b.sendMany(10) // the producer's retry
		r := b.start(takes(time.Second), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 10, Duplicates: 10})
		b.once(10)
		wantSeen[consumer.Duplicate](b, 10)
	})
}

// A message whose twin is being handled by another process comes back when
// the twin's lease is over, spread by some jitter, and is not run beside it.
func TestInProgressElsewhere(t *testing.T) {
	bubble(t, setting{guard: dedupe.Options{Key: dedupe.BodyHash, Lease: 20 * time.Second}}, func(b *bed) {
		var mu sync.Mutex
		back := make(map[time.Duration]bool)
		op := dedupe.Op{Kind: dedupe.OpClaim, Owner: dedupe.Owner{1}}
		for i := range 30 {
			body := "m" + string(rune('A'+i))
			key, err := dedupe.KeyOf("test", dedupe.BodyHash, &consumer.Record{Body: []byte(body)})
			if err != nil {
				b.Fatal(err)
			}
			op.Key, op.LeaseEnd, op.RetainEnd = key, dedupe.MillisOf(b.began.Add(100*time.Second)), dedupe.MillisOf(b.began.Add(time.Hour))
			if _, err := b.store.mem.Apply(b.Context(), []dedupe.Op{op}); err != nil {
				b.Fatal(err)
			}
			b.send(body)
		}
		b.start(func(context.Context, *consumer.Record) error {
			mu.Lock()
			defer mu.Unlock()
			back[b.since().Truncate(time.Second)] = true
			return nil
		}, sqssource.Options{})
		b.drain()
		for at := range back {
			if at < 100*time.Second || at > 113*time.Second {
				b.Errorf("started after %v, want between 100s and 112s", at)
			}
		}
		if len(back) < 5 {
			b.Errorf("got starts at %v, want them spread", back)
		}
		b.once(30)
		wantSeen[consumer.InProgress](b, 30)
	})
}

// What a handler that is given up does later changes nothing.
func TestHandlerThatIgnoresTheEndOfItsContext(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "10"}}, func(b *bed) {
		b.sendMany(1)
		r := b.start(takes(2*time.Minute), sqssource.Options{DrainTimeout: 10 * time.Second, AbandonPolls: true})
		time.Sleep(time.Second)
		b.wantReport(r.stop(), sqssource.Report{Received: 1, Failed: 1})
		if took := b.since(); took > 17*time.Second {
			b.Errorf("Run returned after %v, want at most 17s", took)
		}
		time.Sleep(2 * time.Minute)
		b.left[b.queue] = 1
	})
}
