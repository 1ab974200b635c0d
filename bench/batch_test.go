package bench_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// round is how many records a store takes before a benchmark of fresh ones
// starts again with an empty store: memory stays the same however long it
// runs, and the time to make records is not counted.
const round = 100_000

var sizes = []int{1, 10, 100}

// BenchmarkDirect is the handler called in a loop: what there is without
// onlyonce.
func BenchmarkDirect(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			h, recs, ctx := handler(), records(size), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				for _, rec := range recs {
					if err := h.HandleRecord(ctx, rec); err != nil {
						b.Fatal(err)
					}
				}
			}
			perRecord(b, size)
		})
	}
}

// BenchmarkUnguarded is a batch without a guard.
func BenchmarkUnguarded(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			p, recs := batch.New(nil, handler(), batch.Options{}), records(size)
			b.ReportAllocs()
			for b.Loop() {
				process(b, p, recs)
			}
			perRecord(b, size)
		})
	}
}

// BenchmarkMemory is a batch under a guard on the memory store, keyed by id.
func BenchmarkMemory(b *testing.B) {
	benchmark(b, openMemory)
}

func openMemory(testing.TB) dedupe.Store { return memdedupe.New() }

// BenchmarkBolt is the same on the bbolt store, with its fsyncs.
func BenchmarkBolt(b *testing.B) {
	benchmark(b, openBolt)
}

func openBolt(tb testing.TB) dedupe.Store {
	tb.Helper()
	s, err := boltdedupe.Open(filepath.Join(tb.TempDir(), "dedupe.db"), boltdedupe.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func benchmark(b *testing.B, open func(testing.TB) dedupe.Store) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("fresh/batch=%d", size), func(b *testing.B) { fresh(b, open, size) })
	}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("duplicate/batch=%d", size), func(b *testing.B) { duplicate(b, open, size) })
	}
}

func fresh(b *testing.B, open func(testing.TB) dedupe.Store, size int) {
	ids := make([]string, round)
	for i := range ids {
		ids[i] = id(i)
	}
	recs, used := records(size), round
	var p *batch.Processor
	b.ReportAllocs()
	for b.Loop() {
		if used+size > round {
			b.StopTimer()
			p, used = processor(open(b)), 0
			b.StartTimer()
		}
		for i := range recs {
			recs[i].ID = ids[used+i]
		}
		used += size
		process(b, p, recs)
	}
	perRecord(b, size)
}

func duplicate(b *testing.B, open func(testing.TB) dedupe.Store, size int) {
	p, recs := processor(open(b)), records(size)
	process(b, p, recs)
	b.ReportAllocs()
	for b.Loop() {
		process(b, p, recs)
	}
	perRecord(b, size)
}

func processor(s dedupe.Store) *batch.Processor {
	return guarded(s, handler())
}

func guarded(s dedupe.Store, h consumer.Handler) *batch.Processor {
	return batch.New(dedupe.New(s, dedupe.Options{Consumer: "bench"}), h, batch.Options{})
}

func process(tb testing.TB, p *batch.Processor, recs []*consumer.Record) {
	for _, err := range p.Process(tb.Context(), recs) {
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func handler() consumer.Handler {
	return consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return nil })
}

func records(n int) []*consumer.Record {
	recs := make([]*consumer.Record, n)
	for i := range recs {
		recs[i] = &consumer.Record{ID: id(i), Body: []byte(`{"order_id":"o-1"}`)}
	}
	return recs
}

func id(i int) string { return fmt.Sprintf("0194c8a4-7d0e-7c3a-8f00-%012d", i) }

// perRecord adds the time of one record of the batch.
func perRecord(b *testing.B, size int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/record")
}
