package sqssource

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

const (
	firstDelay   = time.Second
	longestDelay = 15 * time.Minute
	delayDoubles = 20
)

// delay is how long a failed message stays away: what it asks for itself, or
// a random part of a second, doubled with each run that failed, of 15 minutes
// at most. It is in whole seconds, as visibility timeouts are.
func (r *run) delay(m *message, err error) time.Duration {
	if e, ok := errors.AsType[*consumer.RetryError](err); ok {
		after := min(e.After, longestInvisible) // so that adding to it does not overflow
		if errors.Is(err, dedupe.ErrInProgress) {
			after += rand.N(after/10 + time.Second) // so that those who wait do not come all at once
		}
		return wholeSeconds(after)
	}
	most := min(firstDelay<<min(r.failures(m)-1, delayDoubles), longestDelay)
	return max(wholeSeconds(rand.N(most)), time.Second)
}

// failures is how often m has failed by now, this time included: as the
// guard's row says, or, without one, as often as it was received.
func (r *run) failures(m *message) int {
	if m.ran && r.p.guard != nil {
		return m.failures + 1
	}
	return max(m.attempt, m.failures+1, 1)
}

func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// notStarted reports whether the record of that outcome was not begun because
// its batch ended or its group failed.
func notStarted(err error) bool {
	e, ok := errors.AsType[*batch.NotStartedError](err)
	return ok && (errors.Is(e, batch.ErrDraining) || errors.Is(e, batch.ErrGroupFailed) || errors.Is(e, ErrDraining))
}
