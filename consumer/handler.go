package consumer

import "context"

// A Handler does the work that one record asks for.
//
// HandleRecord returns nil when the work is done and an error when it is not:
// the record then comes back, unless the error is [Permanent] and the source
// has somewhere to put it. It must return soon after ctx ends; the cause is
// available from [context.Cause]. It is called from several goroutines at
// once.
type Handler interface {
	HandleRecord(ctx context.Context, rec *Record) error
}

// HandlerFunc lets an ordinary function be a [Handler].
type HandlerFunc func(ctx context.Context, rec *Record) error

// HandleRecord calls f.
func (f HandlerFunc) HandleRecord(ctx context.Context, rec *Record) error {
	return f(ctx, rec)
}

// A Middleware wraps a Handler in another one.
type Middleware func(Handler) Handler

// Chain wraps h in the given middlewares; the first one listed is the
// outermost and sees the record first.
func Chain(h Handler, mws ...Middleware) Handler {
	for i := len(mws) - 1; i >= 0; i-- {
		h = mws[i](h)
	}
	return h
}
