package sqssource_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Wiring mistakes panic in New, with a message of this package.
func TestNewPanics(t *testing.T) {
	c, h := sqstest.New(sqstest.Options{}).Client(), takes(0)
	with := func(o sqssource.Options) func() { return func() { sqssource.New(c, "url", nil, h, o) } }
	for name, f := range map[string]func(){
		"no client":             func() { sqssource.New(nil, "url", nil, h) },
		"no URL":                func() { sqssource.New(c, "", nil, h) },
		"no handler":            func() { sqssource.New(c, "url", nil, nil) },
		"two options":           func() { sqssource.New(c, "url", nil, h, sqssource.Options{}, sqssource.Options{}) },
		"negative concurrency":  with(sqssource.Options{Concurrency: -1}),
		"negative messages":     with(sqssource.Options{MaxMessages: -1}),
		"negative bytes":        with(sqssource.Options{MaxBytes: -1}),
		"negative tenant limit": with(sqssource.Options{TenantLimit: -1}),
		"negative drain":        with(sqssource.Options{DrainTimeout: -1}),
		"slots and concurrency": with(sqssource.Options{Slots: sqssource.NewSlots(1), Concurrency: 1}),
		"wait of half a second": with(sqssource.Options{Wait: 500 * time.Millisecond}),
		"wait of 1.5 s":         with(sqssource.Options{Wait: 1500 * time.Millisecond}),
		"wait of 21 s":          with(sqssource.Options{Wait: 21 * time.Second}),
		"negative wait":         with(sqssource.Options{Wait: -time.Second}),
		"no slots":              func() { sqssource.NewSlots(0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "sqssource: ") {
					t.Errorf("got panic %q, want one that begins with \"sqssource: \"", s)
				}
			}()
			f()
		})
	}
}

// A second Run of a poller is refused while the first goes on, and works
// after it.
func TestRunTwice(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		first := b.start(takes(0), sqssource.Options{})
		time.Sleep(time.Second)
		if _, err := first.poller.Run(b.Context()); !errors.Is(err, sqssource.ErrRunning) {
			b.Errorf("second Run: got error %v, want %v", err, sqssource.ErrRunning)
		}
		first.stop()
		b.sendMany(10)
		again := b.run(first.poller)
		b.drain()
		b.wantReport(again.stop(), sqssource.Report{Received: 10, Done: 10})
	})
}

// Run ends with a QueueError when the queue does not exist or access is
// denied, at the start or at any later request.
func TestQueueError(t *testing.T) {
	for _, code := range []string{"QueueDoesNotExist", "AccessDenied"} {
		for _, op := range []string{"GetQueueAttributes", "ReceiveMessage", remove} {
			t.Run(code+" "+op, func(t *testing.T) {
				bubble(t, setting{}, func(b *bed) {
					b.sendMany(1)
					b.server.Fault(only(op, sqstest.Action{Err: &sqstest.Error{Code: code}}))
					_, err := b.start(takes(0), sqssource.Options{}).wait()
					e, ok := errors.AsType[*sqssource.QueueError](err)
					if !ok || e.Op != op || e.URL != b.url || e.Err == nil {
						b.Errorf("got error %v, want a QueueError of %s on %s", err, op, b.url)
					}
					b.left[b.queue] = b.server.Stats(b.queue).Total()
				})
			})
		}
	}
}

// A queue that is deleted under the poller ends it after its handlers.
func TestQueueDeletedMeanwhile(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		r := b.start(takes(0), sqssource.Options{})
		time.Sleep(time.Minute)
		b.server.Fault(only("ReceiveMessage", sqstest.Action{Err: &sqstest.Error{Code: "QueueDoesNotExist"}}))
		if _, err := r.wait(); err == nil {
			b.Error("got no error, want a QueueError")
		}
	})
}

// A queue that cannot be asked at the start is asked again for as long as it
// takes; a Run that is ended meanwhile returns no error.
func TestTroubleAtTheStart(t *testing.T) {
	for name, bad := range map[string]sqstest.Action{
		"throttled": {Err: &sqstest.Error{Code: "RequestThrottled"}},
		"503":       {Err: &sqstest.Error{Code: "ServiceUnavailable"}},
		"broken":    {DropRequest: true},
		"hanging":   {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{receives: 5}, func(b *bed) {
				b.sendMany(10)
				b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
					if (op == "GetQueueAttributes" || op == "GetQueueUrl") && b.since() < 10*time.Minute {
						return bad
					}
					return sqstest.Action{}
				})
				ended := b.start(takes(0), sqssource.Options{})
				time.Sleep(time.Minute)
				b.wantReport(ended.stop(), sqssource.Report{})
				b.start(poison, sqssource.Options{})
				b.drain()
				b.left["dead"] = 10
				if took := b.since(); took > 11*time.Minute {
					b.Errorf("took %v, want the pause after the trouble to be short", took)
				}
			})
		})
	}
}

// A dead-letter queue that cannot be looked up for a moment is found all the
// same: else permanent failures would be retried until the next start.
func TestTroubleFindingTheDeadLetterQueue(t *testing.T) {
	bubble(t, setting{receives: 5}, func(b *bed) {
		b.sendMany(5)
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			a.DropRequest = op == "GetQueueUrl" && b.since() < time.Minute
			return a
		})
		b.start(poison, sqssource.Options{})
		b.drain()
		b.once(5)
		b.left["dead"] = 5
	})
}

// A poller warns at its start of settings that contradict the guard or each
// other, and of nothing else.
func TestWarnings(t *testing.T) {
	long := dedupe.Options{Retention: 40 * 24 * time.Hour}
	for name, c := range map[string]struct {
		set  setting
		want []string // parts of QueueUnfit
		less time.Duration
	}{
		"fit":           {set: setting{receives: 5, attrs: attrs{"VisibilityTimeout": "30"}, guard: long}},
		"no redrive":    {set: setting{guard: long}, want: []string{"no redrive policy"}},
		"no visibility": {set: setting{receives: 5, attrs: attrs{"VisibilityTimeout": "0"}, guard: long}, want: []string{"visibility timeout is 0"}},
		"short visibility": {set: setting{receives: 5, attrs: attrs{"VisibilityTimeout": "10"}, guard: long},
			want: []string{"shorter than the guard's lease"}},
		"few receives": {set: setting{receives: 2, guard: long}, want: []string{"maxReceiveCount is 2"}},
		"retention": {set: setting{receives: 5, attrs: attrs{"MessageRetentionPeriod": "1209600"}, guard: dedupe.Options{Retention: 15 * 24 * time.Hour}},
			less: 18 * 24 * time.Hour}, // with the 4 days of the dead-letter queue
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.set, func(b *bed) {
				r := b.start(takes(0), sqssource.Options{})
				time.Sleep(time.Second)
				r.stop()
				unfit := wantSeen[consumer.QueueUnfit](b, len(c.want))
				for i, e := range unfit[:min(len(unfit), len(c.want))] {
					if !strings.Contains(e.Why, c.want[i]) || e.Queue != b.url {
						b.Errorf("queue_unfit: got %+v, want %q", e, c.want[i])
					}
				}
				short := seen[consumer.RetentionShort](b)
				if c.less == 0 && len(short) > 0 || c.less > 0 && (len(short) != 1 || short[0].Needed != c.less) {
					b.Errorf("retention_short: got %+v, want %v needed", short, c.less)
				}
			})
		})
	}
}

// On a queue without a visibility timeout each receive asks for one: messages
// are handled once.
func TestQueueWithoutVisibility(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "0"}}, func(b *bed) {
		b.sendMany(100)
		r := b.start(takes(time.Minute), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 100, Done: 100})
		b.once(100)
	})
}

// A handler sees the record as the queue has it, under a context with the
// values of Run's and not its end.
func TestRecord(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.send("m0 text", attributes(3), group("tenant"))
		sent := b.server.Messages(b.queue)[0]
		b.start(func(ctx context.Context, rec *consumer.Record) error {
			if rec.ID != sent.ID || rec.MessageID != sent.ID || rec.Source != b.server.ARN(b.queue) || rec.Ordered || rec.Attempt != 1 ||
				rec.Group != "tenant" || string(rec.Body) != "m0 text" || rec.Attributes["a2"] != "2" || !rec.Time.Equal(sent.Sent) {
				b.Errorf("got record %+v of message %+v", rec, sent)
			}
			if _, ok := rec.Raw.(interface{ GetBody() }); ok || rec.Raw == nil {
				b.Errorf("raw: got %T", rec.Raw)
			}
			if c, ok := dedupe.FromContext(ctx); !ok || c.Key == "" {
				b.Errorf("got claim %+v, want one", c)
			}
			return nil
		}, sqssource.Options{})
		b.drain()
	})
}
