package model_test

import (
	"flag"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
	"github.com/onlyonce-go/onlyonce/proof/model"
)

// How far to search: two faults take seconds, three minutes and gigabytes.
var (
	faults  = flag.Int("faults", 1, "what may go wrong in one run of a model")
	workers = flag.Int("workers", 3, "workers that are at work at once")
)

// The kinds of consumers and queues. Short has a retention below its lease.
var configs = map[string]model.Config{
	"at least once": {Lease: 1, Retention: 3},
	"short":         {Lease: 3, Retention: 3},
	"dead letters":  {Lease: 1, Retention: 3, Receives: 2},
	"at most once":  {Lease: 1, Retention: 3, AtMostOnce: true},
	"transactions":  {Lease: 1, Retention: 3, Transactional: true},
}

// Every property holds in every state that can be reached.
func TestProperties(t *testing.T) {
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Faults, c.Workers = *faults, *workers
			began := time.Now()
			r := model.Search(c)
			t.Logf("%d workers, %d faults: %v, %.1f s", c.Workers, c.Faults, r, time.Since(began).Seconds())
			f := figures.Search{
				Model: name, Workers: c.Workers, Faults: c.Faults, States: r.States, Transitions: r.Transitions, Depth: r.Depth,
			}
			if r.Violation != nil {
				f.Violation = r.Violation.Property
			}
			figures.Attr(t, f)
			if r.Cut > 0 {
				t.Errorf("%d steps had no room", r.Cut)
			}
			if r.Violation != nil {
				t.Errorf("%v", r.Violation)
			}
		})
	}
}
