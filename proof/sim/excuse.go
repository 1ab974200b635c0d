package sim

import (
	"slices"
	"time"
)

const (
	// memory is how long a fault of a request can be felt by others.
	memory = 10 * time.Second

	// requestTimeout is how long one request to the store is waited for:
	// dynamodedupe.Options.Timeout, as it is by default.
	requestTimeout = 3 * time.Second

	// persistent is how many requests must fail, one after another and each at
	// once, before a completion is given up: it has so long for it, which is
	// dedupe.Options.SettleTimeout as it is by default.
	persistent  = 6
	persistence = 10 * time.Second

	// retried is how soon is tried again what failed at once, with some to
	// spare: a completion within a second, a heartbeat in a third of the lease.
	retried = 3 * time.Second
)

// excused reports whether something kept r1 from being recorded until r2 began:
// its process was killed, its handler outlived its answer, or requests of its
// process to the store met faults, enough of them. What comes later is no
// reason: whoever claimed for r2 found that r1 was not recorded.
func (j *judge) excused(r1, r2 *run) bool {
	return r1.cutShort(r2) || r1.wasOutlived(r2) || j.felt(r1, r2).excuse(j, r1, r2)
}

// cutShort reports whether the process of r1 was killed before r2 began, and
// before it had all the time to record r1. One that ends by itself does so when
// everything is recorded.
func (r1 *run) cutShort(r2 *run) bool {
	k := r1.proc.killed
	return k.tick != 0 && k.tick < r2.began && (r1.effect == 0 || k.at <= r1.effectAt+persistence)
}

// wasOutlived reports whether the answer of r1's batch was there before r1 had
// ended, and before r2 began.
func (r1 *run) wasOutlived(r2 *run) bool {
	return slices.ContainsFunc(r1.proc.outlived[r1.key], func(m moment) bool {
		return m.tick > r1.began && m.tick < r2.began && (r1.ended == 0 || m.at <= r1.endedAt)
	})
}

// faults are what r1 may have felt before r2 began.
type faults struct {
	all   int           // of any kind, about any key
	quick int           // requests about its key that failed at once
	lost  time.Duration // with slow requests, one after another
	last  time.Duration // when the last of both had its effect
}

func (j *judge) felt(r1, r2 *run) (f faults) {
	slow := min(requestTimeout, ms(j.w.plan.Lease)/6) // several that are shorter fit into what a lease has left
	for _, h := range j.l.hurt[r1.proc] {
		if h.at < r1.at-memory || h.at > r2.at {
			continue
		}
		f.all++
		switch {
		case h.waits == 0 && slices.Contains(h.keys, r1.key):
			f.quick++
		case h.waits > 0 && h.waits >= slow: // others may have waited behind it, whatever it was about
			f.lost += h.waits
		default:
			continue
		}
		f.last = max(f.last, h.at+h.waits)
	}
	return f
}

// excuse reports whether they suffice. A run has most of its lease left when it
// makes its effect, two thirds at least unless its heartbeats met faults too.
func (f faults) excuse(j *judge, r1, r2 *run) bool {
	most := min(ms(j.w.plan.Lease)/2, persistence)
	if r1.effect == 0 || r2.began < r1.effect { // it had lost its lease while it ran
		return f.lost >= most || f.quick >= persistent
	}
	if r1.cutoff != 0 && r1.effectAt+retried > r1.cutoff { // a deadline leaves no time for a second try
		return f.all > 0
	}
	between := r2.fence > r1.fence+1 // another claim, which may have kept r1 from being recorded
	lasted := between || f.last+max(retried, ms(j.w.plan.Lease)/2) > r2.at || f.last+retried > r1.effectAt+persistence ||
		r1.cutoff != 0 && f.last+retried > r1.cutoff
	return f.lost >= most || f.quick >= persistent && lasted
}

// parkable reports whether something may have kept a key from being completed: a
// run that did not end well or outlived its answer, a process that was killed,
// or a fault.
func (j *judge) parkable(key int) bool {
	for _, r := range j.byKey[key] {
		if r.effect == 0 || r.failed || len(r.proc.outlived[key]) > 0 {
			return true
		}
	}
	if j.l.stats.Faults[Killed] > 0 {
		return true
	}
	for _, met := range j.l.hurt {
		if slices.ContainsFunc(met, func(h hurt) bool { return h.waits > 0 || slices.Contains(h.keys, key) }) {
			return true
		}
	}
	return false
}
