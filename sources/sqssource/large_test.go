package sqssource_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// Messages of 1 MiB, the largest there are (Amazon SQS message quotas), arrive
// as they were sent, more of them than fit into the process at once; one that
// is nested 100,000 levels deep is dead-lettered alone.
func TestLargestMessages(t *testing.T) {
	const size = 1 << 20
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	bubble(t, setting{receives: 3, guard: dedupe.Options{Key: dedupe.Field("/id")}}, func(b *bed) {
		bodies := map[string]bool{}
		for _, filling := range []string{"x", `\u00e9`, "é", " ", "\\\"", "a", "b", "c", "d", "e", "f", "g"} {
			head := `{"id":` + `"` + strings.Repeat("i", len(bodies)+1) + `","x":"`
			body := head + strings.Repeat(filling, (size-len(head)-2)/len(filling)) + `"}`
			bodies[body] = true
			b.send(body)
		}
		b.send(`{"id":1,"x":` + deep + `}`)
		var mu sync.Mutex
		r := b.start(func(_ context.Context, rec *consumer.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if !bodies[string(rec.Body)] {
				b.Errorf("a body of %d bytes that was not sent: %.60s", len(rec.Body), rec.Body)
			}
			delete(bodies, string(rec.Body))
			return nil
		}, sqssource.Options{MaxBytes: 4 << 20})
		b.until("only the deep one is left", func() bool {
			return b.server.Stats(b.queue).Total() == 0 && b.server.Stats(b.dead).Total() == 1
		})
		if report := r.stop(); report.Done != 12 || report.Failed != 3 || len(bodies) > 0 {
			b.Errorf("got %+v, %d did not run, want 12 done and one that failed three times", report, len(bodies))
		}
		b.left[b.dead] = 1
	})
}

// What is nested 100,000 levels deep in an envelope fails its message alone and
// in no time; the others run meanwhile.
func TestDeepEnvelopes(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	event := func(id, detail string) string {
		return `{"id":"` + id + `","source":"s","detail-type":"t","detail":` + detail + `}`
	}
	bubble(t, setting{receives: 2}, func(b *bed) {
		b.send(event("a", `{}`))
		b.send(event("b", deep))
		b.send(event("c", `{"x":"`+strings.Repeat("x", 1<<19)+`"}`))
		b.send(deep)
		ids := make(chan string, 10)
		began := time.Now()
		r := b.run(sqssource.New(b.client, b.url, b.guard, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			ids <- rec.ID
			return nil
		}), sqssource.Options{Decode: sources.EventBridge}))
		b.until("two are left", func() bool { return b.server.Stats(b.queue).Total() == 0 && b.server.Stats(b.dead).Total() == 2 })
		if report := r.stop(); report.Done != 2 || report.Failed != 4 || len(ids) != 2 || time.Since(began) > time.Hour {
			b.Errorf("got %+v, %d runs after %v, want 2 done and 2 that failed twice", report, len(ids), time.Since(began))
		}
		b.left[b.dead] = 2
		b.sent = nil // the ledger knows the events by their details
	})
}
