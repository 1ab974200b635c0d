package dynamodedupe_test

import (
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// What a store remembers of its claims is a guess and never an answer: where
// nothing would be written it reads the row first. An extend that moves
// nothing does not confirm a claim that was taken over, and a duplicate is not
// told that work is in progress which others have finished.
func TestGuessIsNoAnswer(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		mine := claims(1, 2)
		r.want(r.store, mine, dedupe.Won)
		done := ended(dedupe.OpComplete, mine[1:])
		r.want(r.other(), done, dedupe.Applied)
		r.want(r.store, claims(3, 2)[1:], dedupe.Done)

		time.Sleep(time.Until(mine[0].LeaseEnd.Time()) + time.Second)
		r.want(r.other(), claims(2, 1), dedupe.Won)
		still := mine[:1]
		still[0].Kind = dedupe.OpExtend
		r.want(r.store, still, dedupe.Lost)
	})
}
