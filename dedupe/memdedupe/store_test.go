package memdedupe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// A store whose callers went away long ago applies nothing for them and says
// so: a claim that its caller did not see must not hold a key.
func TestApplyCancelled(t *testing.T) {
	var s memdedupe.Store
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	verdicts, err := s.Apply(ctx, []dedupe.Op{claim("k", 1, time.Minute)})
	if !errors.Is(err, context.Canceled) || verdicts != nil {
		t.Errorf("Apply with a cancelled context = %v, %v; want context.Canceled", verdicts, err)
	}
	if s.Len() != 0 {
		t.Errorf("Len = %d after a cancelled claim, want 0", s.Len())
	}
}

// Memory follows the live rows, not the rows ever claimed: with keys that
// expire as fast as they come, what is held stays within the documented half
// above what is live.
func TestSweepKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const live = 1000 // one key per millisecond, each kept for a second
		var s memdedupe.Store
		most := 0
		for i := range 20 * live {
			apply(t, &s, claim(fmt.Sprint("k", i), i, live*time.Millisecond))
			if i > 2*live {
				most = max(most, s.Len())
			}
			time.Sleep(time.Millisecond)
		}
		if most > live*3/2 {
			t.Errorf("held up to %d rows with %d live, want at most half more", most, live)
		}
	})
}

// A sweep removes every expired row and no other: a live row that is
// collected would let its work run twice.
func TestSweepTakesOnlyExpiredRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memdedupe.New()
		for i := range 100 {
			retain := time.Second
			if i%3 == 0 {
				retain = time.Hour
			}
			apply(t, s, claim(fmt.Sprint("k", i), i, retain))
		}
		parked := claim("parked", 500, time.Second)
		apply(t, s, parked)
		parked.Kind, parked.Ran, parked.AtMostOnce = dedupe.OpRelease, true, true
		apply(t, s, parked)

		time.Sleep(time.Second)
		for i := range 100 { // a claim that is lost still pays for the sweep
			apply(t, s, claim("k0", 1000+i, time.Hour))
		}
		if got, want := s.Len(), 34+1; got != want {
			t.Errorf("Len = %d after the sweep, want %d: the rows kept for an hour and the parked one", got, want)
		}
		for i := 0; i < 100; i += 3 {
			if v := apply(t, s, claim(fmt.Sprint("k", i), 2000+i, time.Hour)); v.Outcome != dedupe.Busy {
				t.Errorf("claim on k%d, held for an hour: %v, want busy", i, v.Outcome)
			}
		}

		time.Sleep(time.Hour)
		for i := range 20 {
			apply(t, s, dedupe.Op{Kind: dedupe.OpExtend, Key: "none", Owner: owner(i)})
		}
		if s.Len() != 1 {
			t.Errorf("Len = %d when only the parked row is left, want 1", s.Len())
		}
	})
}

// A store that was emptied starts again like a fresh one.
func TestSweepToEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memdedupe.New()
		for range 3 {
			for i := range 10 {
				if v := apply(t, s, claim(fmt.Sprint("k", i), i, time.Second)); v.Outcome != dedupe.Won {
					t.Fatalf("claim of k%d: %v, want won", i, v.Outcome)
				}
			}
			time.Sleep(time.Second)
			for range 10 {
				apply(t, s, dedupe.Op{Kind: dedupe.OpExtend, Key: "none"})
			}
			if s.Len() != 0 {
				t.Fatalf("Len = %d when all has expired, want 0", s.Len())
			}
		}
	})
}

// claim returns a claim of key whose lease and retention both end after d.
func claim(key string, by int, d time.Duration) dedupe.Op {
	end := dedupe.MillisOf(time.Now()).Add(d)
	return dedupe.Op{Kind: dedupe.OpClaim, Key: dedupe.Key(key), Owner: owner(by), LeaseEnd: end, RetainEnd: end}
}

func owner(n int) (o dedupe.Owner) {
	o[0], o[1], o[2] = byte(n), byte(n>>8), byte(n>>16)
	o[15] = 1
	return o
}

func apply(t testing.TB, s *memdedupe.Store, op dedupe.Op) dedupe.Verdict {
	t.Helper()
	verdicts, err := s.Apply(t.Context(), []dedupe.Op{op})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts[0]
}
