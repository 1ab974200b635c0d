package sqssource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// quick is the long poll of behaviours: a stop waits for it.
var quick = sqssource.Options{Wait: 2 * time.Second}

func behaviours() []behaviour {
	return slices.Concat(plainBehaviours(), failureBehaviours(), orderBehaviours(), duplicateBehaviours(), stopBehaviours())
}

func plainBehaviours() []behaviour {
	return []behaviour{{
		name: "everything once",
		run: func(l *live) {
			l.sendMany(300)
			r := l.start(takes(5*time.Millisecond), quick)
			l.drain()
			l.once(300)
			l.wantReport(r.stop(), sqssource.Report{Received: 300, Done: 300})
		},
	}, {
		name: "two pollers",
		run: func(l *live) {
			l.sendMany(300)
			a, b := l.start(takes(5*time.Millisecond), quick), l.start(takes(5*time.Millisecond), quick)
			l.drain()
			l.once(300)
			if x, y := a.stop(), b.stop(); x.Done+y.Done != 300 || x.Received+y.Received != 300 {
				l.Errorf("reports: got %+v and %+v, want 300 received and done together", x, y)
			}
		},
	}, {
		name: "a message wakes the poll",
		run: func(l *live) {
			l.start(takes(0), sqssource.Options{Wait: 5 * time.Second})
			time.Sleep(time.Second)
			l.send("m")
			began := time.Now()
			l.until("the message is handled", func() bool { return l.ledger.finished("m") == 1 })
			if took := time.Since(began); took > 3*time.Second {
				l.Errorf("a message in an idle queue was handled after %v, want it at once", took)
			}
			l.drain()
		},
	}, {
		name: "handlers longer than the visibility timeout",
		set:  setting{attrs: attrs{"VisibilityTimeout": "3"}, noGuard: true},
		run: func(l *live) {
			l.sendMany(20)
			r := l.start(takes(7*time.Second), quick)
			l.drain()
			l.once(20)
			l.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		},
	}, {
		name: "tenants",
		run: func(l *live) {
			l.sendGroups(2, 6)
			r := l.start(takes(100*time.Millisecond), sqssource.Options{Wait: quick.Wait, TenantLimit: 2})
			l.drain()
			if l.ledger.peak != 4 {
				l.Errorf("two tenants of two at once: got %d at once, want 4", l.ledger.peak)
			}
			l.wantReport(r.stop(), sqssource.Report{Received: 12, Done: 12})
		},
	}, {
		name: "record",
		run: func(l *live) {
			seen := make(chan consumer.Record, 2)
			l.send("m", attributes(2), group("tenant"))
			l.start(func(_ context.Context, rec *consumer.Record) error {
				seen <- *rec
				if rec.Attempt == 1 {
					return consumer.RetryAfter(time.Second, errNo)
				}
				return nil
			}, quick)
			l.drain()
			arn := l.attributes(l.url)["QueueArn"]
			for attempt := 1; attempt <= 2; attempt++ {
				rec := <-seen
				if rec.ID == "" || rec.MessageID != rec.ID || rec.Source != arn || string(rec.Body) != "m" || rec.Attempt != attempt ||
					rec.Group != "tenant" || rec.Attributes["a1"] != "1" || time.Since(rec.Time).Abs() > time.Minute || rec.Ordered {
					l.Errorf("got record %+v, want attempt %d of m of %s", rec, attempt, arn)
				}
			}
		},
	}, {
		name: "no such queue",
		run: func(l *live) {
			_, err := sqssource.New(l.client, l.url+"-not", nil, takes(0)).Run(l.Context())
			if e, ok := errors.AsType[*sqssource.QueueError](err); !ok || e.Op != "GetQueueAttributes" {
				l.Errorf("Run: got error %v, want a QueueError of GetQueueAttributes", err)
			}
		},
	}}
}

func failureBehaviours() []behaviour {
	return []behaviour{{
		name: "failed messages come back later and later",
		run: func(l *live) {
			l.sendMany(10)
			r := l.start(failing(2, errNo), quick)
			l.drain()
			l.wantWait(1, time.Second, 4*time.Second)
			l.wantWait(2, time.Second, 5*time.Second)
			l.wantReport(r.stop(), sqssource.Report{Received: 30, Done: 10, Failed: 20})
		},
	}, {
		name: "failed messages come back when they say",
		run: func(l *live) {
			l.sendMany(5)
			r := l.start(failing(1, consumer.RetryAfter(3*time.Second, errNo)), quick)
			l.drain()
			l.wantWait(1, 3*time.Second, 6*time.Second)
			l.wantReport(r.stop(), sqssource.Report{Received: 10, Done: 5, Failed: 5})
		},
	}, {
		name: "permanent failures are dead letters",
		set:  setting{receives: 5},
		run: func(l *live) {
			l.sendMany(5)
			r := l.start(poison, quick)
			l.drain()
			l.left[l.dead] = 5
			l.wantReport(r.stop(), sqssource.Report{Received: 5, Failed: 5})
			for _, m := range l.letters() {
				if text(m, "onlyonce.message-id") == "" || text(m, "onlyonce.reason") == "" {
					l.Errorf("dead letter %s: got attributes %v, want its id and the reason", *m.Body, m.MessageAttributes)
				}
			}
			l.once(5)
		},
	}, {
		name: "the queue moves what failed too often",
		set:  setting{receives: 2},
		run: func(l *live) {
			l.sendMany(3)
			r := l.start(failing(always, consumer.RetryAfter(time.Second, errNo)), quick)
			l.until("three dead letters", func() bool { return l.total(l.dead) == 3 })
			l.left[l.dead] = 3
			l.wantReport(r.stop(), sqssource.Report{Received: 6, Failed: 6})
		},
	}, {
		name: "dead worker",
		set:  setting{attrs: attrs{"VisibilityTimeout": "2"}},
		run: func(l *live) {
			l.sendMany(20)
			if n := len(l.take(l.queue)); n < 20 {
				l.Errorf("somebody who then dies received %d messages, want 20", n)
			}
			r := l.start(takes(0), quick)
			l.drain()
			l.once(20)
			l.wantReport(r.stop(), sqssource.Report{Received: 20, Done: 20})
		},
	}}
}

func orderBehaviours() []behaviour {
	return []behaviour{{
		name: "groups in order",
		set:  setting{queue: fifo},
		run: func(l *live) {
			l.sendGroups(5, 12)
			r := l.start(takes(50*time.Millisecond), quick)
			l.drain()
			l.wantOrder()
			l.once(60)
			if l.ledger.peak != 5 {
				l.Errorf("groups at once: got %d, want 5", l.ledger.peak)
			}
			l.wantReport(r.stop(), sqssource.Report{Received: 60, Done: 60})
		},
	}, {
		name: "a group waits for its failed head",
		set:  setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "3"}},
		run: func(l *live) {
			l.sendGroups(5, 5)
			r := l.start(heads(1, consumer.RetryAfter(7*time.Second, errNo)), quick)
			l.drain()
			l.wantOrder()
			l.wantReport(r.stop(), sqssource.Report{Received: 25, Done: 25})
		},
	}, {
		name: "a group goes back with its failed head",
		set:  setting{queue: fifo},
		run: func(l *live) {
			l.sendGroups(3, 3)
			r := l.start(heads(1, consumer.RetryAfter(11*time.Second, errNo)), quick)
			l.drain()
			l.wantOrder()
			if n := l.ledger.runs(); n != 12 {
				l.Errorf("got %d runs, want 12: three heads twice, six others once", n)
			}
			l.wantReport(r.stop(), sqssource.Report{Received: 18, Done: 9, Failed: 3, Released: 6})
		},
	}, {
		name: "a head that always fails",
		set:  setting{queue: fifo, receives: 3},
		run: func(l *live) {
			l.sendGroups(3, 4)
			l.start(heads(always, consumer.RetryAfter(time.Second, errNo)), quick)
			l.drain()
			l.left[l.dead] = 3
			l.wantOrder("g0-0", "g1-0", "g2-0")
			for g := range 3 {
				if n := l.ledger.ran(fmt.Sprintf("g%d-0", g)); n != 3 {
					l.Errorf("head of group %d: got %d runs, want 3", g, n)
				}
			}
		},
	}}
}

// deaf is a client whose requests of one operation do not get through, while
// it is not told otherwise.
type deaf struct {
	sqssource.Client
	op    string
	hears atomic.Bool
}

func (d *deaf) blocks(op string) bool { return d.op == op && !d.hears.Load() }

func (d *deaf) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if d.blocks(remove) {
		return nil, errNo
	}
	return d.Client.DeleteMessageBatch(ctx, in, o...)
}

func (d *deaf) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, o ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	if d.blocks(change) {
		return nil, errNo
	}
	return d.Client.ChangeMessageVisibilityBatch(ctx, in, o...)
}

// late is a client whose receives begin half a second later.
type late struct{ sqssource.Client }

func (c late) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	time.Sleep(500 * time.Millisecond)
	return c.Client.ReceiveMessage(ctx, in, o...)
}

func duplicateBehaviours() []behaviour {
	return []behaviour{{
		name: "finished before",
		set:  setting{attrs: attrs{"VisibilityTimeout": "3"}},
		run: func(l *live) {
			l.sendMany(5)
			r := l.run(sqssource.New(&deaf{Client: l.client, op: remove}, l.url, l.guard, l.ledger.handler(takes(0)), quick))
			l.until("all are handled", func() bool { return l.ledger.runs() == 5 })
			if rep := r.stop(); rep.Done != 0 || rep.Unsettled == 0 {
				l.Errorf("report without deletes: %+v, want none done and some unsettled", rep)
			}
			r = l.start(takes(0), quick)
			l.drain()
			l.once(5)
			if rep := r.stop(); rep.Duplicates != 5 || rep.Done+rep.Failed != 0 {
				l.Errorf("report after it: %+v, want 5 duplicates", rep)
			}
		},
	}, {
		name: "a message that comes again while it is here",
		set:  setting{attrs: attrs{"VisibilityTimeout": "2"}, noGuard: true},
		run: func(l *live) {
			l.sendMany(5)
			client := &deaf{Client: l.client, op: change}
			o := quick
			o.Observer = l.events
			r := l.run(sqssource.New(client, l.url, nil, l.ledger.handler(takes(6*time.Second)), o))
			l.until("they come again", func() bool { return len(seen[consumer.Redelivered](l.bed)) >= 5 })
			client.hears.Store(true)
			l.drain()
			l.once(5)
			if rep := r.stop(); rep.Done != 5 || rep.Duplicates < 5 || rep.Failed+rep.Released+rep.Unsettled > 0 {
				l.Errorf("report: %+v, want 5 done and the rest duplicates", rep)
			}
		},
	}, {
		name: "a group that comes again while it is here",
		set:  setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "2"}},
		run: func(l *live) {
			l.sendGroups(2, 3)
			client := &deaf{Client: l.client, op: change}
			r := l.run(sqssource.New(client, l.url, l.guard, l.ledger.handler(takes(3*time.Second)), quick))
			l.until("they come again", func() bool { return len(seen[consumer.Redelivered](l.bed)) >= 6 })
			client.hears.Store(true)
			l.drain()
			l.wantOrder()
			l.once(6)
			if rep := r.stop(); rep.Done != 6 || rep.Duplicates < 6 || rep.Failed+rep.Released+rep.Unsettled > 0 {
				l.Errorf("report: %+v, want 6 done and the rest duplicates", rep)
			}
		},
	}, {
		name: "a delete that comes after the visibility timeout of a FIFO queue",
		set:  setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "2"}, noGuard: true},
		run: func(l *live) {
			l.sendGroups(1, 1)
			o := sqssource.Options{Wait: quick.Wait, Concurrency: 1, Observer: l.events}
			r := l.run(sqssource.New(late{&deaf{Client: l.client, op: change}}, l.url, nil, l.ledger.handler(takes(3*time.Second)), o))
			l.drain()
			l.once(1)
			l.wantReport(r.stop(), sqssource.Report{Received: 2, Duplicates: 1, Unsettled: 1})
		},
		knownWrong: map[string]wrong{
			"ministack": {"it deletes by an expired handle", "report: got {Received:1 Done:1 "},
			"elasticmq": {"it deletes by an expired handle", "report: got {Received:1 Done:1 "},
		},
	}}
}

func stopBehaviours() []behaviour {
	return []behaviour{{
		name: "a busy stop releases what has not started",
		set:  setting{attrs: attrs{"VisibilityTimeout": "120"}},
		run: func(l *live) {
			l.sendGroups(10, 6)
			r := l.start(takes(500*time.Millisecond), sqssource.Options{Wait: time.Second, Concurrency: 10, TenantLimit: 1})
			time.Sleep(1200 * time.Millisecond)
			rep := r.stop()
			if rep.Done != l.ledger.runs() || rep.Done == 0 || rep.Failed+rep.Unsettled > 0 {
				l.Errorf("report: %+v after %d runs, want all of them done and the rest released", rep, l.ledger.runs())
			}
			if n := len(l.take(l.queue)); n != 60-rep.Done {
				l.Errorf("visible after the stop: got %d messages, want %d", n, 60-rep.Done)
			}
			l.left[l.queue] = 60 - rep.Done
		},
	}, {
		name: "stops in the midst of groups",
		set:  setting{queue: fifo, attrs: attrs{"VisibilityTimeout": "120"}},
		run: func(l *live) {
			l.sendGroups(5, 6)
			for range 2 {
				r := l.start(takes(300*time.Millisecond), quick)
				time.Sleep(700 * time.Millisecond)
				if rep := r.stop(); rep.Failed+rep.Unsettled > 0 {
					l.Errorf("report: %+v, want none failed or unsettled", rep)
				}
			}
			l.start(takes(0), quick)
			l.drain()
			l.wantOrder()
			l.once(30)
		},
	}, {
		name: "an idle stop takes no message along",
		set:  setting{attrs: attrs{"VisibilityTimeout": "120"}},
		run: func(l *live) {
			r := l.start(takes(0), sqssource.Options{Wait: 3 * time.Second})
			time.Sleep(time.Second)
			began := time.Now()
			r.stop()
			if took := time.Since(began); took > 4500*time.Millisecond {
				l.Errorf("the stop took %v, want 3s at most and a little", took)
			}
			l.send("m")
			if got := l.take(l.queue); len(got) != 1 {
				l.Errorf("after the stop: got %q, want the message", got)
			}
			l.left[l.queue] = 1
		},
	}}
}
