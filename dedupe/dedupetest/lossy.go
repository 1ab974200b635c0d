package dedupetest

import (
	"context"
	"errors"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// ErrLost is the error of a call that [Lossy] lost.
var ErrLost = errors.New("dedupetest: message lost")

// Loss is what happens to one call on its way.
type Loss int

// The losses.
const (
	LoseNothing Loss = iota
	LoseRequest      // the store never sees the call
	LoseAnswer       // the store applies the call, the caller never hears of it
)

// Lossy is a [dedupe.Store] whose messages get lost, for tests of what calls
// a store. It is as safe for concurrent use as its parts.
type Lossy struct {
	// Store gets the calls that arrive. Required.
	Store dedupe.Store

	// Lose says what happens to a call with these operations. Defaults to
	// losing nothing.
	Lose func(ops []dedupe.Op) Loss
}

// Apply applies ops, or loses them or the answer and returns [ErrLost].
func (l *Lossy) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	loss := LoseNothing
	if l.Lose != nil {
		loss = l.Lose(ops)
	}
	if loss == LoseRequest {
		return nil, ErrLost
	}
	verdicts, err := l.Store.Apply(ctx, ops)
	if err == nil && loss == LoseAnswer {
		return nil, ErrLost
	}
	return verdicts, err
}
