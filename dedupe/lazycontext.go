package dedupe

import (
	"context"
	"sync"
	"time"
)

// lazyContext is a child of its parent that costs nothing until somebody asks
// for Done: most handlers, and all embedded stores, are through before. Only
// then it makes a real child and passes for it.
type lazyContext struct {
	parent   context.Context //nolint:containedctx // it is a context itself
	deadline time.Time       // zero: only the parent's

	mu    sync.Mutex
	child context.Context //nolint:containedctx // likewise
	stop  context.CancelCauseFunc
	ended bool
	cause error
}

// Deadline returns the earlier of the context's own and its parent's.
func (c *lazyContext) Deadline() (time.Time, bool) {
	d, ok := c.parent.Deadline()
	if c.deadline.IsZero() || ok && d.Before(c.deadline) {
		return d, ok
	}
	return c.deadline, true
}

// Done is closed when the context or its parent ends.
func (c *lazyContext) Done() <-chan struct{} { return c.real().Done() }

// Err says why Done is closed, nil while it is not.
func (c *lazyContext) Err() error {
	c.mu.Lock()
	quiet := c.child == nil && !c.ended && (c.deadline.IsZero() || time.Now().Before(c.deadline))
	c.mu.Unlock()
	if quiet {
		return c.parent.Err()
	}
	return c.real().Err()
}

// Value asks the child where there is one, so that the context package finds
// it, and the cause of its end, below this type.
func (c *lazyContext) Value(key any) any {
	c.mu.Lock()
	child := c.child
	c.mu.Unlock()
	if child != nil {
		return child.Value(key)
	}
	return c.parent.Value(key)
}

// end ends the context with a cause; nil stands for context.Canceled. Only the
// first call counts.
func (c *lazyContext) end(cause error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended, c.cause = true, cause
	stop := c.stop
	c.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
}

func (c *lazyContext) real() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.child != nil {
		return c.child
	}
	child, stop := context.WithCancelCause(c.parent)
	if !c.deadline.IsZero() {
		cancel, free := stop, context.CancelFunc(nil)
		child, free = context.WithDeadline(child, c.deadline)
		stop = func(cause error) { cancel(cause); free() }
	}
	c.child, c.stop = child, stop
	if c.ended {
		stop(c.cause)
	}
	return child
}
