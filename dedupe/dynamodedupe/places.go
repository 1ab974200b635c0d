package dynamodedupe

import (
	"context"
	"fmt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// places are what a Store's requests take while they are in flight. A request
// that only claims takes one of claims first, of which there are fewer: begun
// work is extended and completed while all claims hang.
//
// A request holds its place for [Options.Timeout] at most and waits for no
// other while it does; who waits is served in order.
type places struct {
	all, claims chan struct{}
}

func newPlaces(n int) places {
	return places{make(chan struct{}, n), make(chan struct{}, n-n/4)}
}

// take waits for a place, and returns what gives it back.
func (p places) take(ctx context.Context, claims bool) (giveBack func(), err error) {
	if claims {
		if err := enter(ctx, p.claims); err != nil {
			return nil, err
		}
	}
	if err := enter(ctx, p.all); err != nil {
		if claims {
			<-p.claims
		}
		return nil, err
	}
	return func() {
		<-p.all
		if claims {
			<-p.claims
		}
	}, nil
}

func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("dynamodedupe: waiting for %d requests in flight: %w", cap(places), context.Cause(ctx))
	}
}

// begin returns the context of one request about lanes, once it may be sent,
// and what ends it. A nil context means that its time was over before.
func (c *call) begin(ctx context.Context, lanes []*lane) (context.Context, context.CancelFunc) {
	claims := true
	for _, l := range lanes {
		claims = claims && c.ops[l.todo[0]].Kind == dedupe.OpClaim
	}
	giveBack, err := c.s.places.take(ctx, claims)
	if err != nil {
		c.abandon(lanes, err)
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.s.o.Timeout)
	return ctx, func() {
		cancel()
		giveBack()
	}
}
