package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

const (
	standard = "orders"
	ordered  = "orders.fifo"
	dead     = "dead"
	deadFIFO = "dead.fifo"

	groups     = 20
	visibility = 4 * time.Second
	longest    = 6 * time.Second // that a handler takes: longer than the visibility timeout
)

var errNo = errors.New("no")

// plan is what is to become of one message. It follows from the seed and the message's number alone.
type plan struct {
	fifo    bool
	group   int
	twice   bool // its producer sends it twice
	takes   time.Duration
	ignores bool // the end of its context
	fails   int  // so often
	err     error
	forGood bool // and ends as a dead letter
}

func planOf(seed uint64, n int) plan {
	rng := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // no secret
	p := plan{fifo: rng.IntN(5) < 2, group: rng.IntN(groups), twice: rng.IntN(30) == 0, takes: time.Duration(rng.Int64N(int64(30 * time.Millisecond)))}
	slow := 30
	if p.fifo {
		slow = 200 // its group waits
	}
	if rng.IntN(slow) == 0 {
		p.takes = time.Duration(rng.Int64N(int64(longest)))
	}
	p.ignores = p.takes < time.Second && rng.IntN(5) == 0
	switch rng.IntN(100) {
	case 0, 1, 2:
		p.fails, p.err = 1+rng.IntN(3), errNo
	case 3, 4:
		p.fails, p.err = 1, consumer.RetryAfter(time.Duration(rng.Int64N(int64(3*time.Second))), errNo)
	case 5:
		p.fails = 1 // a panic
	case 6:
		if rng.IntN(2) == 0 {
			p.forGood, p.err = true, consumer.Permanent(errNo)
		}
	}
	return p
}

// body is a message on the wire.
type body struct {
	N int `json:"n"`
}

func bodyOf(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }

func numberOf(text string) (int, error) {
	b := body{N: -1}
	err := json.Unmarshal([]byte(text), &b)
	if err == nil && b.N < 0 {
		err = errors.New("has no number")
	}
	return b.N, err
}

// handle is the handler of all workers.
func (s *soak) handle(ctx context.Context, b body) error {
	p := planOf(s.seed, b.N)
	try := s.ledger.start(b.N, p)
	ok := false
	defer func() { s.ledger.end(b.N, p, ok) }()
	timer := time.NewTimer(p.takes)
	defer timer.Stop()
	if p.ignores {
		<-timer.C
	} else {
		select {
		case <-timer.C:
		case <-ctx.Done():
			s.counts.add("handlers: context ended", 1)
			return context.Cause(ctx)
		}
	}
	switch {
	case p.forGood:
		return p.err
	case try > p.fails:
		ok = true
		return nil
	case p.err == nil:
		s.counts.add("handlers: panic", 1)
		panic("a handler panics")
	}
	s.counts.add("handlers: failed", 1)
	return p.err
}
