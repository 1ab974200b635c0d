package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
)

// gate lets requests through one at a time, whenever everything else waits, in
// an order that its seed draws: so that the order does not hang on the
// scheduler.
type gate struct {
	arrive chan *waiting
	closed chan struct{}
	rng    *rand.Rand
}

type waiting struct {
	who  string
	ctx  context.Context //nolint:containedctx // one that has left is passed over
	pass chan struct{}
}

func newGate(seed uint64) *gate {
	return &gate{arrive: make(chan *waiting), closed: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 6))}
}

// pass waits until the request may go on, and reports false when ctx ended.
func (g *gate) pass(ctx context.Context, who string) bool {
	one := &waiting{who, ctx, make(chan struct{})}
	select {
	case g.arrive <- one:
	case <-g.closed:
		return true
	case <-ctx.Done():
		return false
	}
	select {
	case <-one.pass:
		return true
	case <-ctx.Done():
		return false
	}
}

// run is the gate's keeper, until it is closed.
func (g *gate) run() {
	var here []*waiting
	for {
		if len(here) == 0 {
			select {
			case one := <-g.arrive:
				here = append(here, one)
			case <-g.closed:
				return
			}
		}
		synctest.Wait()
		for more := true; more; {
			select {
			case one := <-g.arrive:
				here = append(here, one)
			default:
				more = false
			}
		}
		slices.SortStableFunc(here, func(a, b *waiting) int { return strings.Compare(a.who, b.who) })
		i := g.rng.IntN(len(here))
		if here[i].ctx.Err() == nil {
			close(here[i].pass)
		}
		here = slices.Delete(here, i, i+1)
	}
}
