package memdedupe_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// BenchmarkClaim is one Apply of a group of claims on new keys, into a store
// that grows to a hundred thousand rows and starts again.
func BenchmarkClaim(b *testing.B) {
	const rows = 100_000
	keys := make([]dedupe.Key, rows)
	for i := range keys {
		keys[i] = dedupe.Key("v1:orders:" + strconv.Itoa(i) + ":0123456789abcdef")
	}
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("group=%d", size), func(b *testing.B) {
			group := claims(size)
			s, used := memdedupe.New(), 0
			b.ReportAllocs()
			for b.Loop() {
				if used+size > rows {
					s, used = memdedupe.New(), 0
				}
				for i := range group {
					group[i].Key = keys[used+i]
				}
				used += size
				if _, err := s.Apply(b.Context(), group); err != nil {
					b.Fatal(err)
				}
			}
			perOp(b, size)
		})
	}
}

// BenchmarkDuplicate is one Apply of a group of claims on completed keys.
func BenchmarkDuplicate(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("group=%d", size), func(b *testing.B) {
			s, group := memdedupe.New(), claims(size)
			for _, op := range group {
				apply(b, s, op)
				op.Kind = dedupe.OpComplete
				apply(b, s, op)
			}
			for i := range group {
				group[i].Owner = owner(1000 + i)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Apply(b.Context(), group); err != nil {
					b.Fatal(err)
				}
			}
			perOp(b, size)
		})
	}
}

func claims(n int) []dedupe.Op {
	ops := make([]dedupe.Op, n)
	for i := range ops {
		ops[i] = claim("v1:orders:"+strconv.Itoa(i)+":0123456789abcdef", i, time.Hour)
	}
	return ops
}

// perOp adds the time of one operation of the group.
func perOp(b *testing.B, size int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/claim")
}
