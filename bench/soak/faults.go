package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// counts are how often each thing happened.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what] += n
}

// sorted returns what was counted, by name.
func (c *counts) sorted() (names []string, of map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.of)), maps.Clone(c.of)
}

// luck decides what goes wrong, until it is calm.
type luck struct {
	mu   sync.Mutex
	rng  *rand.Rand
	calm bool
}

// is reports whether something of that chance happens.
func (l *luck) is(chance float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.calm && l.rng.Float64() < chance
}

func (l *luck) pick(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(n)
}

// span returns a time between least and most.
func (l *luck) span(least, most time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return least + time.Duration(l.rng.Int64N(int64(most-least)))
}

// end ends all trouble.
func (l *luck) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calm = true
}

// network is what goes wrong on a worker's way to the queue.
func (s *soak) network(awsproxy.Request) (a awsproxy.Action) {
	if !s.luck.is(0.05) {
		return a
	}
	var what string
	switch s.luck.pick(13) {
	case 0, 1:
		what, a.DropRequest = "request lost", true
	case 2, 3:
		what, a.DropResponse = "response lost", true
	case 4, 5:
		what, a.Delay = "request late", s.luck.span(0, time.Second)
	case 6, 7:
		what, a.DelayResponse = "response late", s.luck.span(0, time.Second)
	case 8, 9:
		what, a.Err = "throttled", &awsproxy.Error{Code: "RequestThrottled", Status: 403}
	case 10, 11:
		what, a.Err = "status 500 or 503", &awsproxy.Error{Code: "InternalError", Status: 500 + 3*s.luck.pick(2)}
	default:
		what, a.Delay, a.DropRequest = "request hangs", 15*time.Second, true
	}
	s.counts.add("network: "+what, 1)
	return a
}

// service is what goes wrong in the queue itself.
func (s *soak) service(op string, req sqstest.Request) (a sqstest.Action) {
	switch op {
	case "SendMessageBatch": // the producer's
		return a
	case "ReceiveMessage":
		if s.luck.is(0.01) {
			a.CorruptMD5 = true
			s.counts.add("queue: wrong checksum", 1)
		} else if s.luck.is(0.01) {
			a.Truncate = true
			s.counts.add("queue: answer cut short", 1)
		}
		return a
	}
	for i := range req.Entries {
		var code, what string
		switch {
		case s.luck.is(0.03):
			code, what = "InternalError", "entry failed"
		case s.luck.is(0.003):
			code, what = "ReceiptHandleIsInvalid", "handle expired"
		default:
			continue
		}
		if a.FailEntries == nil {
			a.FailEntries = make(map[int]*sqstest.Error)
		}
		a.FailEntries[i] = &sqstest.Error{Code: code}
		s.counts.add("queue: "+what, 1)
	}
	return a
}

// store is a store that does not always answer, or not what is so.
type store struct {
	dedupe.Store
	s *soak

	mu   sync.Mutex
	down bool
}

func (st *store) setDown(yes bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.down = yes
}

// Apply fails before or after the operations were applied, is late, or leaves some of them undecided.
func (st *store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	st.mu.Lock()
	down := st.down
	st.mu.Unlock()
	s := st.s
	switch {
	case down:
		s.counts.add("store: down", 1)
		return nil, errNo
	case s.luck.is(0.02):
		s.counts.add("store: refused", 1)
		return nil, errNo
	}
	if s.luck.is(0.02) {
		s.counts.add("store: late", 1)
		pause.For(ctx, s.luck.span(0, 300*time.Millisecond))
	}
	var kept []dedupe.Op
	out := make([]dedupe.Verdict, len(ops))
	place := make([]int, 0, len(ops))
	for i := range ops {
		if s.luck.is(0.01) {
			s.counts.add("store: one undecided", 1)
			out[i].Err = errNo
			continue
		}
		kept, place = append(kept, ops[i]), append(place, i)
	}
	if len(kept) > 0 {
		verdicts, err := st.Store.Apply(ctx, kept)
		if err != nil {
			return nil, err
		}
		for i, v := range verdicts {
			out[place[i]] = v
		}
	}
	if s.luck.is(0.02) {
		s.counts.add("store: answer lost", 1)
		return nil, errNo
	}
	return out, nil
}

// outages take the store down now and then, for less than a completion is tried.
func (s *soak) outages(ctx context.Context) {
	for {
		pause.For(ctx, s.luck.span(s.time/20, s.time/6))
		if ctx.Err() != nil {
			return
		}
		s.counts.add("store: outages", 1)
		s.store.setDown(true)
		pause.For(ctx, s.luck.span(time.Second, 4*time.Second))
		s.store.setDown(false)
	}
}
