package dedupe

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lazyContext is a child of its parent that costs nothing until somebody asks
// for Done: most handlers, and all embedded stores, are through before. Only
// then it makes a real child and passes for it.
type lazyContext struct {
	parent   context.Context //nolint:containedctx // it is a context itself
	deadline time.Time       // zero: only the parent's

	ended atomic.Bool
	child atomic.Pointer[realContext]
	mu    sync.Mutex // held to make the child, and to read and write cause
	cause error
}

// realContext is the child that a lazyContext makes when it has to.
type realContext struct {
	context.Context //nolint:containedctx // it is one
	stop            context.CancelCauseFunc
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
	late := !c.deadline.IsZero() && !time.Now().Before(c.deadline)
	if late || c.ended.Load() || c.child.Load() != nil {
		return c.real().Err()
	}
	return c.parent.Err()
}

// Value asks the child where there is one, so that the context package finds
// it, and the cause of its end, below this type.
func (c *lazyContext) Value(key any) any {
	if child := c.child.Load(); child != nil {
		return child.Value(key)
	}
	return c.parent.Value(key)
}

// end ends the context with a cause; nil stands for context.Canceled. Only the
// first call counts.
func (c *lazyContext) end(cause error) {
	if cause != nil {
		c.mu.Lock()
		if !c.ended.Load() {
			c.cause = cause
		}
		c.mu.Unlock()
	}
	c.ended.Store(true)
	if child := c.child.Load(); child != nil {
		child.stop(cause)
	}
}

// real returns the child, which it makes when there is none. Whoever makes it
// looks at ended after it is there, and whoever ends looks for it after ended
// is set: one of the two stops it.
func (c *lazyContext) real() context.Context {
	if child := c.child.Load(); child != nil {
		return child
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if child := c.child.Load(); child != nil {
		return child
	}
	ctx, stop := context.WithCancelCause(c.parent)
	if !c.deadline.IsZero() {
		cancel, free := stop, context.CancelFunc(nil)
		ctx, free = context.WithDeadline(ctx, c.deadline)
		stop = func(cause error) { cancel(cause); free() }
	}
	child := &realContext{Context: ctx, stop: stop}
	c.child.Store(child)
	if c.ended.Load() {
		stop(c.cause)
	}
	return child
}
