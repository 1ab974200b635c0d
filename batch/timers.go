package batch

import (
	"context"
	"time"
)

// timers are what a run's loop waits for besides its notes.
type timers struct {
	seen  bool        // that the run's context ended
	timer *time.Timer // then: when handlers that still run are abandoned
}

// ended is closed when the run's context has ended, until that was seen.
func (t *timers) ended(ctx context.Context) <-chan struct{} {
	if t.seen {
		return nil
	}
	return ctx.Done()
}

// arm sets the time at which handlers are abandoned, once the context ended.
func (t *timers) arm(when schedule) {
	wait := when.grace
	if !when.abandon.IsZero() {
		wait = min(wait, time.Until(when.abandon))
	}
	t.timer = time.NewTimer(wait)
}

func (t *timers) abandon() <-chan time.Time {
	if t.timer == nil {
		return nil
	}
	return t.timer.C
}

func (t *timers) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}
