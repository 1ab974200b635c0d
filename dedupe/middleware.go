package dedupe

import (
	"context"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Middleware returns the guard as a middleware, for those who bring their own
// loop: each record is claimed, handled and settled before HandleRecord
// returns. Records that are handled at the same time share calls to the
// store. On a nil Guard it changes nothing but that a panic of the handler
// comes back as an error.
//
// HandleRecord returns nil when the record may be acknowledged: it was
// handled, or finished before.
func (g *Guard) Middleware() consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			_, err := g.handle(ctx, rec, next, nil)
			return err
		})
	}
}

// handle takes one record all the way. A key function that is given stands in
// for the guard's own.
func (g *Guard) handle(ctx context.Context, rec *consumer.Record, h consumer.Handler, key KeyFunc) (Result, error) {
	outcome := make(chan error, 1)
	again := make(chan struct{}, 1)
	deadline, _ := ctx.Deadline()
	s := g.Session(ctx, SessionOptions{
		Settled:  func(_ *Ticket, err error) { outcome <- err },
		Again:    func(*Ticket) { again <- struct{}{} },
		Deadline: deadline, Key: key,
	})
	defer s.Close()
	t := &s.Admit([]*consumer.Record{rec}, 0)[0]
	ended := ctx.Done()
	for {
		if t.Ready() {
			g.once(s, t, h)
		}
		select {
		case err := <-outcome:
			if err != nil {
				return Result{}, err
			}
			return t.Result(), nil
		case <-again:
			s.Readmit(t)
		case <-ended: // only waiting for a twin can be cut short
			t.Skip(context.Cause(ctx))
			ended = nil
		}
	}
}

func (g *Guard) once(s *Session, t *Ticket, h consumer.Handler) {
	s.Enter()
	defer s.Leave()
	t.Settle(t.Handle(h))
}
