package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// The judge is tested from within: no worker that keeps the promise does what
// it is to find.

// trial lets something happen in a world of two hosts and returns what the
// judge holds against it.
func trial(t *testing.T, p Plan, happen func(*world)) (broken []string) {
	t.Helper()
	p.Visibility, p.Receives = 5, 10
	p.Hosts = []Host{{Slots: 1, Lambda: p.Hosts != nil}, {Slots: 1}}
	p.Keys = append(p.Keys, Key{}, Key{})
	if p.Lease == 0 {
		p.Lease = 3000
	}
	synctest.Test(t, func(*testing.T) {
		w := newWorld(p)
		close(w.gate.closed) // every request passes
		happen(w)
		broken = w.judge(nil).Broken
		for _, all := range w.alive {
			for _, one := range all {
				one.exit()
			}
		}
	})
	return broken
}

// process starts one that ends with the trial.
func (w *world) process(host int) *process {
	p := w.newProcess(host)
	w.born(p)
	return p
}

// findings returns how often a finding says so.
func findings(broken []string, what string) (n int) {
	for _, b := range broken {
		if strings.Contains(b, what) {
			n++
		}
	}
	return n
}

// double is what the judge is asked about: a handler of key 0 that makes its
// effect at 20 s, and another one that makes it again later. Something happens
// before, within, between and after.
type double struct {
	lease  int           // milliseconds, defaults to 3000
	later  time.Duration // when the second run begins, defaults to 20 s after the first
	atOnce bool          // the first one makes its effect after that
	cutoff time.Duration // the time from the first effect to its deadline, if it has one

	before, within, between, after func(*ledger, *process)
}

func (d double) excused(t *testing.T) bool {
	plan := Plan{Mode: Plain, Lease: d.lease}
	if d.cutoff != 0 {
		plan.Hosts = []Host{}
		d.cutoff += 20 * time.Second
	}
	if d.later == 0 {
		d.later = 20 * time.Second
	}
	return findings(trial(t, plan, func(w *world) {
		l, first, second := w.ledger, w.process(0), w.process(1)
		and := func(f func(*ledger, *process)) {
			if f != nil {
				f(l, first)
			}
		}
		pass(15 * time.Second)
		and(d.before)
		pass(20*time.Second - l.since())
		r1, _ := l.start(first, 0, 0, 1, d.cutoff)
		if !d.atOnce {
			l.effect(r1)
		}
		and(d.within)
		if !d.atOnce {
			l.end(r1, false)
		}
		and(d.between)
		pass(20*time.Second + d.later - l.since())
		r2, _ := l.start(second, 0, 0, 2, 0)
		pass(time.Second)
		and(d.after)
		pass(time.Second)
		if d.atOnce {
			l.effect(r1)
			l.end(r1, false)
		}
		l.effect(r2)
		l.end(r2, false)
	}), "without a reason") == 0
}

// meets lets requests about a key meet faults, one every half second.
func meets(n int, f Fault, key int) func(*ledger, *process) {
	return func(l *ledger, p *process) {
		for range n {
			l.fault(p, DynamoDB, f, DroppedBefore, "PutItem", []int{key})
			pass(500 * time.Millisecond)
		}
	}
}

func then(all ...func(*ledger, *process)) func(*ledger, *process) {
	return func(l *ledger, p *process) {
		for _, f := range all {
			f(l, p)
		}
	}
}

func after(d time.Duration) func(*ledger, *process) { return func(*ledger, *process) { pass(d) } }
func killed(_ *ledger, p *process)                  { p.kill() }
func exited(_ *ledger, p *process)                  { p.exit() }
func answered(_ *ledger, p *process) {
	p.Observe(context.Background(), consumer.Abandoned{Record: &consumer.Record{Body: []byte(`{"id":"key-000"}`)}, Key: "key-000"})
}

// A second effect has an excuse only if something kept the first one from being
// recorded until the second run began, and for long enough.
func TestExcuses(t *testing.T) {
	drop, late := Fault{Kind: Drop}, Fault{Kind: Late, Ms: 20000}
	delay := func(ms int) Fault { return Fault{Kind: Delay, Ms: ms} }
	long := persistence + time.Second
	for name, c := range map[string]struct {
		double
		want bool
	}{
		"nothing": {double{}, false},

		"a short delay of another key's request before it": {double{before: meets(1, delay(100), 1)}, false},
		"twenty short delays":                              {double{between: meets(20, delay(100), 0)}, false},
		"a delay of most of the lease":                     {double{between: meets(1, delay(2000), 0)}, true},
		"a delay of less than half of the lease":           {double{lease: 6000, between: meets(1, delay(2000), 0)}, false},
		"a request that times out, of a long lease":        {double{lease: 15000, between: meets(1, delay(20000), 0)}, false},
		"three of them":                                    {double{lease: 15000, between: meets(3, delay(20000), 0)}, true},
		"one that arrives late: it failed at once":         {double{between: meets(1, late, 0)}, false},

		"three failures":                            {double{between: meets(3, drop, 0)}, false},
		"failures for as long as it tries":          {double{between: meets(20, drop, 0)}, true},
		"failures of another key's requests":        {double{between: meets(20, drop, 1)}, false},
		"failures, and then enough time":            {double{between: meets(6, drop, 0)}, false},
		"slow requests of the second run's time":    {double{after: meets(3, delay(20000), 0)}, false},
		"failures that last into the second run":    {double{between: meets(6, drop, 0), after: meets(1, drop, 0)}, false},
		"a deadline far away, and a failure":        {double{cutoff: long, between: meets(1, drop, 0)}, false},
		"a deadline far away, and a short delay":    {double{cutoff: long, between: meets(1, delay(100), 0)}, false},
		"a deadline, and a failure":                 {double{cutoff: time.Second, between: meets(1, drop, 0)}, true},
		"a deadline, and a failure when it is over": {double{cutoff: time.Second, after: meets(1, drop, 0)}, false},
		"a deadline without a failure":              {double{cutoff: time.Second}, false},

		"a kill":                                       {double{between: killed}, true},
		"a kill when it had all its time":              {double{between: then(after(long), killed)}, false},
		"a kill during the second run":                 {double{later: 3 * time.Second, after: killed}, false},
		"an end":                                       {double{between: exited}, false},
		"an answer while it ran":                       {double{within: answered}, true},
		"an answer while an earlier ran":               {double{before: answered}, false},
		"an answer during the second run":              {double{atOnce: true, after: answered}, false},
		"an answer before the second run":              {double{atOnce: true, between: answered}, true},
		"both at once":                                 {double{atOnce: true}, false},
		"both at once, and a lease that failures took": {double{atOnce: true, before: meets(6, Fault{Kind: Drop}, 0)}, true},
		"both at once, and a failure":                  {double{atOnce: true, before: meets(1, Fault{Kind: Drop}, 0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.excused(t); got != c.want {
				t.Errorf("excused %v, want %v", got, c.want)
			}
		})
	}
}

// A fault that is to fail members of a request is none when it has no such
// members, and concerns the keys of the request.
func TestPhantomFaults(t *testing.T) {
	for mask, want := range map[int]int{1: 1, 3: 1, 4: 0, 128: 0} {
		trial(t, Plan{Mode: Plain, Faults: []Fault{
			{Side: DynamoDB, Op: "BatchExecuteStatement", Span: 1, Kind: Statements, Mask: mask},
		}}, func(w *world) {
			p := w.process(0)
			now := dedupe.MillisOf(time.Now())
			var ops []dedupe.Op
			for key := range 2 {
				ops = append(ops, dedupe.Op{
					Kind: dedupe.OpClaim, Key: dedupe.Key(keyName(key)), Owner: dedupe.Owner{1},
					LeaseEnd: now.Add(time.Second), RetainEnd: now.Add(time.Hour),
				})
			}
			if _, err := p.store.Apply(context.Background(), ops); err != nil {
				t.Error(err)
			}
			met, counted := w.ledger.hurt[p], w.ledger.stats.Faults[PartlyFailed]
			if len(met) != want || counted != want {
				t.Errorf("mask %b of 2 statements: %d requests met a fault, %d were counted, want %d", mask, len(met), counted, want)
			}
			for _, h := range met {
				if keys := slices.Compact(slices.Sorted(slices.Values(h.keys))); !slices.Equal(keys, []int{0, 1}) {
					t.Errorf("the fault is about the keys %v, want 0 and 1", keys)
				}
			}
		})
	}
}

// A dead letter excuses the deletion of its message when it has arrived, and
// not when its sender gave up before.
func TestDeadLettersOnTheirWay(t *testing.T) {
	for patience, want := range map[time.Duration]int{time.Second: 1, time.Minute: 0} {
		broken := trial(t, Plan{
			Mode: Plain, Messages: []Message{{}},
			Faults: []Fault{{Side: SQS, Op: "SendMessage", Span: 1, Kind: Delay, Ms: 20000}},
		}, func(w *world) {
			p := w.process(1)
			w.send(0, 0)
			got, err := w.client.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: &w.url})
			if err != nil || len(got.Messages) != 1 {
				t.Fatal(err, len(got.Messages))
			}
			m := got.Messages[0]
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, _ = p.queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &w.deadURL, MessageBody: m.Body})
			if _, err := w.client.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: &w.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		})
		if n := findings(broken, "message 0 was deleted"); n != want {
			t.Errorf("its sender waited for %v: %d findings, want %d: %q", patience, n, want, broken)
		}
	}
}

// A key is parked for a reason.
func TestParkedForNothing(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		want    int
	}{
		"no run": {func(*world) {}, 1},
		"a run that made its effect": {func(w *world) {
			r, _ := w.ledger.start(w.process(1), 0, 0, 1, 0)
			w.ledger.effect(r)
			w.ledger.end(r, false)
		}, 1},
		"a run that failed": {func(w *world) {
			r, _ := w.ledger.start(w.process(1), 0, 0, 1, 0)
			w.ledger.end(r, false)
		}, 0},
		"a kill":               {func(w *world) { w.process(1).kill() }, 0},
		"a fault":              {func(w *world) { meets(1, Fault{Kind: Drop}, 0)(w.ledger, w.process(1)) }, 0},
		"a fault of another's": {func(w *world) { meets(1, Fault{Kind: Drop}, 1)(w.ledger, w.process(1)) }, 1},
	} {
		broken := trial(t, Plan{Mode: AtMostOnce, Messages: []Message{{}}}, func(w *world) {
			c.happens(w)
			text := func(s string) ddbtest.Value { return ddbtest.Value{S: &s} }
			w.ddb.Put(table, ddbtest.Item{"pk": text("sim " + keyName(0)), "state": text("PARKED")})
			w.given[0] = true
		})
		if n := findings(broken, "parked without a reason"); n != c.want {
			t.Errorf("%s: %d findings, want %d: %q", name, n, c.want, fmt.Sprint(broken))
		}
	}
}
