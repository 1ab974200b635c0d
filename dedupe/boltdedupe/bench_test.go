package boltdedupe_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// BenchmarkClaim is one Apply of a group of claims on new keys, synced, by one
// caller and by sixteen at once.
func BenchmarkClaim(b *testing.B) {
	for _, callers := range []int{1, 16} {
		for _, size := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("callers=%d/group=%d", callers, size), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "rows.db"))
				var fresh atomic.Int64
				b.ReportAllocs()
				share(b, callers, func() error {
					_, err := s.Apply(b.Context(), claims(int(fresh.Add(int64(size))), size))
					return err
				})
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "claims/s")
			})
		}
	}
}

// BenchmarkDuplicate is one Apply of a group of claims on completed keys.
func BenchmarkDuplicate(b *testing.B) {
	for _, callers := range []int{1, 16} {
		for _, size := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("callers=%d/group=%d", callers, size), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "rows.db"))
				group := claims(0, size)
				done := claims(0, size)
				for i := range done {
					done[i].Kind = dedupe.OpComplete
				}
				apply(b, s, group...)
				apply(b, s, done...)
				for i := range group {
					group[i].Owner[15]++
				}
				b.ReportAllocs()
				share(b, callers, func() error {
					_, err := s.Apply(b.Context(), group)
					return err
				})
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "claims/s")
			})
		}
	}
}

// share runs f b.N times on the goroutines of that many callers.
func share(b *testing.B, callers int, f func() error) {
	turns := make(chan struct{}, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range turns {
				if err := f(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		turns <- struct{}{}
	}
	close(turns)
	wg.Wait()
}

// claims returns claims of n keys that begin at first.
func claims(first, n int) []dedupe.Op {
	end := dedupe.MillisOf(time.Now()).Add(time.Hour)
	ops := make([]dedupe.Op, n)
	for i := range ops {
		ops[i] = dedupe.Op{
			Kind: dedupe.OpClaim, Key: dedupe.Key(fmt.Sprintf("v1:orders:%09d", first+i)), Owner: dedupe.Owner{1},
			LeaseEnd: end, RetainEnd: end,
		}
	}
	return ops
}

func open(t testing.TB, path string) *boltdedupe.Store {
	t.Helper()
	s, err := boltdedupe.Open(path, boltdedupe.Options{LockTimeout: 60 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// apply applies ops as one group that must be decided.
func apply(t testing.TB, s *boltdedupe.Store, ops ...dedupe.Op) []dedupe.Verdict {
	t.Helper()
	verdicts, err := s.Apply(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if v.Outcome == dedupe.Undecided {
			t.Fatalf("%v of %q undecided: %v", ops[i].Kind, ops[i].Key, v.Err)
		}
	}
	return verdicts
}
