package bench_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// What the benchmarks take for a fresh batch runs, and what they take for a
// duplicate one does not.
func TestSetup(t *testing.T) {
	const size = 10
	for name, open := range map[string]func(testing.TB) dedupe.Store{"memory": openMemory, "bolt": openBolt} {
		var runs atomic.Int64
		p := guarded(open(t), consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			runs.Add(1)
			return nil
		}))
		for _, what := range []string{"fresh", "duplicate"} {
			process(t, p, records(size))
			if n := runs.Load(); n != size {
				t.Errorf("%s: got %d runs after a %s batch, want %d", name, n, what, size)
			}
		}
	}
}
