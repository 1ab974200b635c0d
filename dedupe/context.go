package dedupe

import "context"

// Claim is what a handler can know of its record's claim.
type Claim struct {
	// Key is the record's idempotency key: the same for every attempt. Pass
	// it to the next system as its idempotency key.
	Key string

	// Fence is the fencing number: it grows with every claim of the key. A
	// system that remembers the highest one can refuse a worker that was
	// overtaken.
	Fence int64

	Claims   int // how often the key has been claimed, this time included
	Failures int // how many earlier runs failed
}

// FromContext returns the claim under which the handler that was given ctx
// runs. It reports false when there is no guard.
func FromContext(ctx context.Context) (Claim, bool) {
	t, ok := ctx.Value(claimKey{}).(*Ticket)
	if !ok || t.s.g == nil {
		return Claim{}, false
	}
	return Claim{Key: string(t.key), Fence: t.fence, Claims: int(t.claims), Failures: int(t.failures)}, true
}

// EndHandler ends the context of the handler that was given ctx, with a cause,
// and reports false when ctx is not such a context or the handler returned. It
// is for sources that learn that somebody else may have the record now. It
// may be called from any goroutine.
func EndHandler(ctx context.Context, cause error) bool {
	t, ok := ctx.Value(claimKey{}).(*Ticket)
	if !ok || !t.is(running) {
		return false
	}
	t.ctx.end(cause)
	return true
}

type claimKey struct{}

// handlerContext is a handler's context: the session's with the claim in it,
// and with an end of its own.
type handlerContext struct {
	lazyContext
	ticket *Ticket
}

// Value returns the claim, or what the session's context has.
func (c *handlerContext) Value(key any) any {
	if key == (claimKey{}) {
		return c.ticket
	}
	return c.lazyContext.Value(key)
}
