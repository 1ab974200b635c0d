package linear

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
)

// Stress is a load of several callers on few keys.
type Stress struct {
	Callers, Keys, Calls int // of each caller. Required.

	// Name makes the keys those of this load. Required.
	Name string

	// Lost is how many calls in a hundred lose their request or their answer,
	// or are given up by their caller. Defaults to none.
	Lost int

	// Patience is how long a caller waits that gives up. Required with Lost.
	Patience time.Duration

	// Losses are those of the History. Defaults to none.
	Losses *Losses
}

// Run puts the load on s and returns what happened.
func (l Stress) Run(ctx context.Context, s dedupe.Store) *History {
	h := NewHistory()
	h.Losses = l.Losses
	var lossy sync.Mutex
	dice := rand.New(rand.NewPCG(rand.Uint64(), 1))
	s = &dedupetest.Lossy{Store: s, Lose: func([]dedupe.Op) dedupetest.Loss {
		lossy.Lock()
		defer lossy.Unlock()
		switch n := dice.IntN(300); {
		case n < l.Lost:
			return dedupetest.LoseRequest
		case n < 2*l.Lost:
			return dedupetest.LoseAnswer
		}
		return dedupetest.LoseNothing
	}}
	var claims claims
	var all sync.WaitGroup
	for i := range l.Callers {
		all.Go(func() {
			c := caller{number: i, l: l, claims: &claims, r: rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))}
			c.run(ctx, h, s)
		})
	}
	all.Wait()
	return h
}

// claims are those that were sent, for others to come late to.
type claims struct {
	mu  sync.Mutex
	all []dedupe.Op
}

func (c *claims) add(op dedupe.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, op)
}

// recent returns one of the last claims.
func (c *claims) recent(r *rand.Rand) (dedupe.Op, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) == 0 {
		return dedupe.Op{}, false
	}
	return c.all[max(0, len(c.all)-1-r.IntN(6))], true
}

// caller is one goroutine of the load.
type caller struct {
	number int
	l      Stress
	claims *claims
	r      *rand.Rand
	owners uint32
}

func (c *caller) run(ctx context.Context, h *History, s dedupe.Store) {
	for range c.l.Calls {
		ops := make([]dedupe.Op, 0, 2)
		for range 1 + c.r.IntN(2) {
			op := c.op()
			if len(ops) == 0 || op.Key != ops[0].Key {
				ops = append(ops, op)
			}
		}
		for _, op := range ops {
			if op.Kind == dedupe.OpClaim {
				c.claims.add(op)
			}
		}
		bounded, cancel := ctx, context.CancelFunc(func() {})
		if c.r.IntN(300) < c.l.Lost {
			bounded, cancel = context.WithTimeout(ctx, time.Duration(c.r.Int64N(int64(c.l.Patience))))
		}
		h.Apply(bounded, c.number, s, ops)
		cancel()
		if c.r.IntN(3) == 0 {
			c.pause(ctx)
		}
	}
}

// pause lets short leases pass.
func (c *caller) pause(ctx context.Context) {
	timer := time.NewTimer(time.Duration(c.r.IntN(3000)) * time.Microsecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// op is a new claim, a copy of a recent one, or what the owner of a recent
// claim may still send. Its ends are past, near or far.
func (c *caller) op() dedupe.Op {
	op, ok := c.claims.recent(c.r)
	switch n := c.r.IntN(10); {
	case n < 4 || !ok:
		return c.claim()
	case n < 5:
		return op
	case n < 6:
		op.Kind, op.LeaseEnd = dedupe.OpExtend, c.end()
	case n < 8:
		op.Kind, op.LeaseEnd, op.AtMostOnce, op.Result = dedupe.OpComplete, 0, false, []byte("result")
	default:
		op.Kind, op.LeaseEnd, op.Ran = dedupe.OpRelease, 0, c.r.IntN(2) == 0
		if op.Ran {
			op.Error = "failed"
		}
	}
	op.RetainEnd, op.Fingerprint = c.end(), ""
	return op
}

func (c *caller) claim() dedupe.Op {
	op := dedupe.Op{
		Kind: dedupe.OpClaim, Key: dedupe.Key(fmt.Sprint(c.l.Name, "/", c.r.IntN(c.l.Keys))),
		LeaseEnd: c.end(), RetainEnd: c.end(), AtMostOnce: c.r.IntN(8) == 0,
	}
	c.owners++
	op.Owner[0] = byte(c.number)
	op.Owner[1] = byte(c.owners)
	binary.BigEndian.PutUint64(op.Owner[8:], c.r.Uint64())
	return op
}

func (c *caller) end() dedupe.Millis {
	now := dedupe.MillisOf(time.Now())
	switch c.r.IntN(4) {
	case 0:
		return now - 1000
	case 1, 2:
		return now + dedupe.Millis(c.r.IntN(12))
	}
	return now.Add(time.Hour)
}
