package batch

import "time"

// window sizes the groups in which a batch claims ahead of its handlers: few
// at first, more while handlers are quick, so that a large batch makes few
// calls to the store and yet no claim waits long for its handler.
type window struct {
	least, size int
	last        time.Time // when the last group was claimed
}

const (
	windowFirst  = 25 // what one batch statement of DynamoDB takes
	windowGrowth = 4
	windowMost   = 256
	quickWindow  = time.Second     // used up sooner: claim more next time
	slowWindow   = 3 * time.Second // used up later: claim fewer
)

func newWindow(concurrency int) window {
	return window{least: concurrency, size: max(concurrency, windowFirst)}
}

// take returns how many records to claim now.
func (w *window) take(now time.Time) int {
	if !w.last.IsZero() {
		switch used := now.Sub(w.last); {
		case used < quickWindow:
			w.size = max(min(w.size*windowGrowth, windowMost), w.least)
		case used > slowWindow:
			w.size = max(w.size/2, w.least)
		}
	}
	w.last = now
	return w.size
}
