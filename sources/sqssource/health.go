package sqssource

import (
	"encoding/json"
	"net/http"
	"time"
)

// HealthOptions configure [Poller.Health].
type HealthOptions struct {
	// StuckAfter is how long no receive may have succeeded, while receives
	// were tried, before the poller counts as stuck. Defaults to 2 minutes.
	StuckAfter time.Duration

	// OldestAfter is how long one message may be here before the poller
	// counts as stuck: longer than any handler takes. Defaults to 12 hours and
	// 10 minutes, which no message outlives whose handler obeys its context.
	OldestAfter time.Duration
}

const (
	defaultStuckAfter  = 2 * time.Minute
	defaultOldestAfter = longestInvisible + 10*time.Minute
)

// Health returns a handler for the probes of an orchestrator:
//
//	GET /live    200, or 503 when the poller is stuck: restart it
//	GET /ready   200 while it receives, else 503
//	GET /status  200 and what it is doing, as JSON
//
// What tells a stuck poller from an idle one is when a receive last succeeded
// and how old the oldest message is that it has not settled. Every answer is
// the JSON of /status, whose "why" says what is wrong. It panics when there is
// more than one HealthOptions or a negative duration.
func (p *Poller) Health(opts ...HealthOptions) http.Handler {
	var o HealthOptions
	if len(opts) > 1 {
		panic("sqssource: Health takes one HealthOptions")
	}
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.StuckAfter < 0 || o.OldestAfter < 0 {
		panic("sqssource: Health: negative duration")
	}
	if o.StuckAfter == 0 {
		o.StuckAfter = defaultStuckAfter
	}
	if o.OldestAfter == 0 {
		o.OldestAfter = defaultOldestAfter
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		s := o.judge(p.Status())
		s.write(w, s.Live)
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		s := o.judge(p.Status())
		s.write(w, s.Ready)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		s := o.judge(p.Status())
		s.write(w, true)
	})
	return mux
}

// health is the JSON of a poller's status.
type health struct {
	Live  bool   `json:"live"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"` // it is not live, or not ready

	Received   int `json:"received"`
	Done       int `json:"done"`
	Duplicates int `json:"duplicates"`
	Failed     int `json:"failed"`
	Released   int `json:"released"`
	Unsettled  int `json:"unsettled"`

	InProcess     int       `json:"in_process"`
	Handling      int       `json:"handling"`
	Bytes         int       `json:"bytes"`
	LastReceive   time.Time `json:"last_receive,omitzero"`
	OldestSeconds float64   `json:"oldest_seconds"`
}

// judge decides whether a poller of that status is well.
func (o HealthOptions) judge(s Status) health {
	now := time.Now()
	h := health{
		Live: true, Ready: true,
		Received: s.Received, Done: s.Done, Duplicates: s.Duplicates,
		Failed: s.Failed, Released: s.Released, Unsettled: s.Unsettled,
		InProcess: s.InProcess, Handling: s.Handling, Bytes: s.Bytes, LastReceive: s.LastReceive,
	}
	if !s.Oldest.IsZero() {
		h.OldestSeconds = now.Sub(s.Oldest).Seconds()
	}
	switch {
	case !s.FailingSince.IsZero() && now.Sub(s.FailingSince) > o.StuckAfter:
		h.Live, h.Ready, h.Why = false, false, "no receive has succeeded since "+s.FailingSince.UTC().Format(time.RFC3339)
	case !s.Oldest.IsZero() && now.Sub(s.Oldest) > o.OldestAfter:
		h.Live, h.Ready, h.Why = false, false, "a message has not been settled since "+s.Oldest.UTC().Format(time.RFC3339)
	case !s.Running:
		h.Ready, h.Why = false, "not running"
	case s.Stopping:
		h.Ready, h.Why = false, "stopping"
	case !s.FailingSince.IsZero():
		h.Ready, h.Why = false, "receives fail"
	case !s.PausedUntil.IsZero():
		h.Ready, h.Why = false, "the store cannot be reached"
	}
	return h
}

func (h health) write(w http.ResponseWriter, well bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // whoever asked is gone, or has it
}
