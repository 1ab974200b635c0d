package consumer

import "context"

// An Observer is told what happens to records: it is the only way in which
// the packages of onlyonce log, count or trace.
//
// Observe is called from many goroutines at once and on the path of the work,
// so it must be quick and must not keep the event's Record after it returns.
// ctx carries values for tracing; it may be cancelled already, and an
// Observer must not take that as a reason to drop the event.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc lets an ordinary function be an [Observer].
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

// Observers returns an Observer that tells each of the given ones in turn,
// passing over those that are nil. It returns nil when none is left.
func Observers(os ...Observer) Observer {
	var kept observers
	for _, o := range os {
		if o != nil {
			kept = append(kept, o)
		}
	}
	switch len(kept) {
	case 0:
		return nil
	case 1:
		return kept[0]
	}
	return kept
}

// Contained returns an Observer that tells o and keeps a panic of it from the
// work that is watched. Guards and batches contain their observers by
// themselves. It returns nil when o is nil.
func Contained(o Observer) Observer {
	switch o := o.(type) {
	case nil, contained:
		return o
	}
	return contained{o}
}

type contained struct{ Observer }

func (c contained) Observe(ctx context.Context, e Event) {
	defer func() { _ = recover() }()
	c.Observer.Observe(ctx, e)
}

type observers []Observer

func (os observers) Observe(ctx context.Context, e Event) {
	for _, o := range os {
		o.Observe(ctx, e)
	}
}
