package dedupetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// A store's own package has a test like this one.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		dedupetest.Run(t, dedupetest.Harness{
			New:      func(*testing.T) dedupe.Store { return memdedupe.New() },
			Synctest: true,
		})
	}
	// Output:
}

// A claim whose answer was lost has won when it is sent again.
func ExampleLossy() {
	loss := dedupetest.LoseAnswer
	store := &dedupetest.Lossy{
		Store: memdedupe.New(),
		Lose:  func([]dedupe.Op) dedupetest.Loss { return loss },
	}
	claim := []dedupe.Op{{
		Kind: dedupe.OpClaim, Key: "v1:orders:o-1", Owner: dedupe.Owner{1},
		LeaseEnd:  dedupe.MillisOf(time.Now().Add(time.Minute)),
		RetainEnd: dedupe.MillisOf(time.Now().Add(time.Hour)),
	}}

	_, err := store.Apply(context.Background(), claim)
	fmt.Println(errors.Is(err, dedupetest.ErrLost))

	loss = dedupetest.LoseNothing
	verdicts, err := store.Apply(context.Background(), claim)
	fmt.Println(verdicts[0].Outcome, err)
	// Output:
	// true
	// won <nil>
}
