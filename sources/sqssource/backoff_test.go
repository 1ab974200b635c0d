package sqssource_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// delays returns, for each failure of a message, how long it stayed away.
func delays(b *bed, name string) []time.Duration {
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	var out []time.Duration
	starts := b.ledger.starts[name]
	for i := range starts[1:] {
		out = append(out, starts[i+1]-starts[i])
	}
	return out
}

// A failed message comes back after a random part of 1, 2, 4 s ..., in whole
// seconds, of 15 minutes at most.
func TestBackoff(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		const n, fails = 40, 12
		b.sendMany(n)
		r := b.start(failing(fails, errNo), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: n * (fails + 1), Done: n, Failed: n * fails})
		for i := range fails {
			most := min(time.Second<<i, 15*time.Minute)
			lo, hi, sum := time.Hour, time.Duration(0), time.Duration(0)
			for m := range n {
				d := delays(b, fmt.Sprint("m", m))[i]
				lo, hi, sum = min(lo, d), max(hi, d), sum+d
			}
			if lo < time.Second || hi > most+50*time.Millisecond {
				b.Errorf("failure %d: got delays from %v to %v, want from 1s to %v", i+1, lo, hi, most)
			}
			if mean := sum / n; most > 4*time.Second && (mean < most/4 || mean > most*3/4) {
				b.Errorf("failure %d: got a mean delay of %v, want about half of %v", i+1, mean, most)
			}
		}
		for _, e := range wantSeen[consumer.Returned](b, n*fails)[:1] {
			if e.Err != errNo || e.After != time.Second {
				b.Errorf("returned: got %v after %v, want %v after 1s", e.Err, e.After, errNo)
			}
		}
	})
}

// The delay follows the guard's count of failed runs, not the receive count:
// deliveries that ran nothing do not make it longer.
func TestBackoffCountsRuns(t *testing.T) {
	bubble(t, setting{attrs: attrs{"VisibilityTimeout": "5"}}, func(b *bed) {
		b.sendMany(30)
		other := b.client.Client
		for range 12 { // somebody receives all and dies
			drainAway(b, other)
			time.Sleep(5 * time.Second)
		}
		b.start(failing(2, errNo), sqssource.Options{})
		b.drain()
		for i := range 30 {
			d := delays(b, fmt.Sprint("m", i))
			if d[0] > 1100*time.Millisecond || d[1] > 2100*time.Millisecond {
				b.Errorf("received 13 times, failed twice: got delays %v, want at most 1s and 2s", d)
			}
		}
	})
}

// Without a guard there is no count of runs: the delay follows the receive
// count.
func TestBackoffWithoutGuard(t *testing.T) {
	bubble(t, setting{noGuard: true}, func(b *bed) {
		b.sendMany(40)
		b.start(failing(6, errNo), sqssource.Options{})
		b.drain()
		longest := make([]time.Duration, 6)
		for i := range 40 {
			for n, d := range delays(b, fmt.Sprint("m", i)) {
				longest[n] = max(longest[n], d)
			}
		}
		for n, d := range longest {
			if most := time.Second << n; d > most+100*time.Millisecond || d < most/2 {
				b.Errorf("receive %d: got a longest delay of %v, want between %v and %v", n+1, d, most/2, most)
			}
		}
	})
}

// RetryAfter is honoured exactly, rounded up to whole seconds, from 0 to more
// than SQS allows.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		0: 0, 300 * time.Millisecond: time.Second, 7 * time.Second: 7 * time.Second,
		time.Hour: time.Hour, 24 * time.Hour: 12*time.Hour - time.Second, math.MaxInt64: 12*time.Hour - time.Second,
	} {
		bubble(t, setting{}, func(b *bed) {
			b.sendMany(5)
			r := b.start(failing(1, consumer.RetryAfter(after, errNo)), sqssource.Options{})
			b.drain()
			for i := range 5 {
				if d := delays(b, fmt.Sprint("m", i)); len(d) != 1 || d[0] < want || d[0] > want+50*time.Millisecond {
					b.Errorf("RetryAfter(%v): got %v, want %v", after, d, want)
				}
			}
			b.wantReport(r.stop(), sqssource.Report{Received: 10, Done: 5, Failed: 5})
		})
	}
}

// A row that somebody left with a lease of thousands of years keeps its message
// away for as long as SQS allows: it does not come back at once, again and
// again.
func TestFarLease(t *testing.T) {
	bubble(t, setting{receives: 3}, func(b *bed) {
		b.sendMany(1)
		key, err := dedupe.KeyOf("test", dedupe.ID, &consumer.Record{ID: b.server.Messages(b.queue)[0].ID})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.store.Apply(b.Context(), []dedupe.Op{{Kind: dedupe.OpClaim, Key: key, Owner: dedupe.Owner{1}, LeaseEnd: math.MaxInt64, RetainEnd: math.MaxInt64}}); err != nil {
			b.Fatal(err)
		}
		r := b.start(takes(0), sqssource.Options{})
		time.Sleep(11 * time.Hour)
		b.wantReport(r.stop(), sqssource.Report{Received: 1, Failed: 1})
		b.left[b.queue] = 1
	})
}

// A message that is to come back at once costs one receive each time it
// fails, not more.
func TestReturnAtOnceCountsOneReceive(t *testing.T) {
	bubble(t, setting{receives: 10}, func(b *bed) {
		var mu sync.Mutex
		most := 0
		b.sendMany(50)
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			if op == change { // the message is back before the answer
				a.DelayResponse = 5 * time.Millisecond
			}
			return a
		})
		inner := failing(8, consumer.RetryAfter(0, errNo))
		b.start(func(ctx context.Context, rec *consumer.Record) error {
			mu.Lock()
			most = max(most, rec.Attempt)
			mu.Unlock()
			return inner(ctx, rec)
		}, sqssource.Options{})
		b.drain()
		if most != 9 {
			b.Errorf("8 failures: got receive count %d, want 9", most)
		}
	})
}

// A key that is missing, or a payload that differs, fails its message alone.
func TestRejected(t *testing.T) {
	bubble(t, setting{receives: 4, guard: dedupe.Options{Key: dedupe.Field("/id")}}, func(b *bed) {
		b.send(`{"id":1}`)
		b.send("nonsense")
		b.send(`{"id":3}`)
		r := b.start(takes(0), sqssource.Options{})
		b.until("only the dead letter is left", func() bool {
			return b.server.Stats(b.queue).Total() == 0 && b.server.Stats("dead").Total() == 1
		})
		b.wantReport(r.stop(), sqssource.Report{Received: 6, Done: 2, Failed: 4})
		b.left["dead"] = 1
	})
}
