package dedupe_test

import (
	"context"
	"math"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// The time between two points is exact where a Duration can hold it, else the
// largest or the smallest Duration: a row may hold any number.
func FuzzMillisSub(f *testing.F) {
	ends := []int64{math.MinInt64, -1, 0, 1, 1795263775000, math.MaxInt64 / 1_000_000, math.MaxInt64/1_000_000 + 1, math.MaxInt64}
	for _, a := range ends {
		for _, b := range ends {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, a, b int64) {
		want := new(big.Int).Mul(new(big.Int).Sub(big.NewInt(a), big.NewInt(b)), big.NewInt(int64(time.Millisecond)))
		if least := big.NewInt(math.MinInt64); want.Cmp(least) < 0 {
			want = least
		} else if most := big.NewInt(math.MaxInt64); want.Cmp(most) > 0 {
			want = most
		}
		if got := dedupe.Millis(a).Sub(dedupe.Millis(b)); int64(got) != want.Int64() {
			t.Fatalf("%d - %d ms: got %d ns, want %v", a, b, got, want)
		}
	})
}

// A guard with the longest durations there are does its work, once.
func TestLongestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = time.Duration(math.MaxInt64)
		g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test", Lease: most, Retention: most, Redelivery: most, StoreTimeout: most, SettleTimeout: most})
		runs := 0
		for range 2 {
			_, err := g.Handle(t.Context(), &consumer.Record{ID: "a"}, consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
				time.Sleep(time.Hour)
				runs++
				return nil
			}))
			if err != nil {
				t.Errorf("got %v", err)
			}
		}
		if runs != 1 {
			t.Errorf("%d runs, want one", runs)
		}
	})
}
