package linear_test

import (
	"context"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/proof/linear"
)

// A key for which the time did not suffice does not count as one whose history
// an order explains, nor do its operations.
func TestUndecided(t *testing.T) {
	h := linear.NewHistory()
	correct := stepping(func(*dedupe.Row, *dedupe.Millis, *dedupe.Op) {})
	claim := func(s dedupe.Store, key dedupe.Key, owner byte) {
		now := dedupe.MillisOf(time.Now())
		h.Apply(context.Background(), int(owner), s, []dedupe.Op{{
			Kind: dedupe.OpClaim, Key: key, Owner: dedupe.Owner{owner}, LeaseEnd: now.Add(time.Hour), RetainEnd: now.Add(time.Hour),
		}})
	}
	claim(correct, "known", 0)
	for owner := range byte(40) { // each may have been applied at any time since
		claim(storeFunc(func(dedupe.Op) dedupe.Verdict { return dedupe.Verdict{} }), "open", owner)
	}
	claim(storeFunc(func(dedupe.Op) dedupe.Verdict { return dedupe.Verdict{Outcome: dedupe.Lost} }), "open", 41)
	r := h.Check(20 * time.Millisecond)
	if r.Open != "open" {
		t.Fatalf("not decided: %q, illegal: %q, want %q not to be decided", r.Open, r.Illegal, "open")
	}
	if r.Keys != 1 || r.Operations != 1 || r.Unknown != 0 {
		t.Errorf("%d keys, %d operations, %d of them unknown, want only what was explained: 1, 1, 0", r.Keys, r.Operations, r.Unknown)
	}
}
