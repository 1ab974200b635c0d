package batch

import "time"

// timers are what a run's loop waits for besides its notes.
type timers struct {
	done  <-chan struct{} // the end of the run's context, until it was seen
	timer *time.Timer     // then: when handlers that still run are abandoned
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
