package sqssource

import "time"

// Status is what a poller is doing at one moment.
type Status struct {
	Running  bool // the queue has been asked what it is like, and Run has not returned
	Stopping bool // its context has ended
	Report        // of the current Run, so far

	InProcess int // messages that are here: running, waiting, or being settled
	Handling  int // of them, with the handlers or about to be
	Bytes     int // of their bodies and attributes

	LastReceive  time.Time // when a receive was last answered; zero before the first
	FailingSince time.Time // of requests to the queue, since the last that succeeded; zero while they do, or wait for slots
	Oldest       time.Time // when the oldest of the messages that are here came; zero without any
	PausedUntil  time.Time // receiving pauses and a message tries the store then; zero when it does not pause
}

// Status returns what the poller is doing. It may be called at any time.
func (p *Poller) Status() Status {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return Status{}
	}
	r.mu.Lock()
	defer r.unlock()
	s := Status{
		Running: r.ready, Stopping: r.stopping, Report: r.report,
		InProcess: len(r.here), Handling: r.running, Bytes: r.bytes, LastReceive: r.recv.last,
		FailingSince: r.failingSince(),
	}
	if r.outage.total {
		s.PausedUntil = r.outage.until
	}
	for _, m := range r.here {
		if s.Oldest.IsZero() || m.came.Before(s.Oldest) {
			s.Oldest = m.came
		}
	}
	return s
}
