package dynamodedupe_test

import (
	"testing"
	"testing/synctest"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// A record costs what the package comment says, in a group and alone.
func TestCost(t *testing.T) {
	for _, c := range []struct {
		name         string
		before       func(r rig, n int)
		run          func(r rig, n int)
		group, alone ddbtest.Units // of one record
		requests     [2]int        // in a group of ten, alone
	}{
		{
			name: "fresh",
			run: func(r rig, n int) {
				r.want(r.store, claims(1, n), dedupe.Won)
				r.want(r.store, ended(dedupe.OpComplete, claims(1, n)), dedupe.Applied)
			},
			group: ddbtest.Units{Write: 2}, alone: ddbtest.Units{Write: 2}, requests: [2]int{2, 2},
		}, {
			name: "duplicate",
			before: func(r rig, n int) {
				r.want(r.store, claims(1, n), dedupe.Won)
				r.want(r.store, ended(dedupe.OpComplete, claims(1, n)), dedupe.Applied)
			},
			run:   func(r rig, n int) { r.want(r.other(), claims(2, n), dedupe.Done) },
			group: ddbtest.Units{Write: 1, Read: 1}, alone: ddbtest.Units{Write: 1}, requests: [2]int{2, 1},
		}, {
			name:   "in progress elsewhere",
			before: func(r rig, n int) { r.want(r.store, claims(1, n), dedupe.Won) },
			run:    func(r rig, n int) { r.want(r.other(), claims(2, n), dedupe.Busy) },
			group:  ddbtest.Units{Write: 1, Read: 1}, alone: ddbtest.Units{Write: 1}, requests: [2]int{2, 1},
		}, {
			name: "again after a failure",
			before: func(r rig, n int) {
				r.want(r.store, claims(1, n), dedupe.Won)
				r.want(r.store, ended(dedupe.OpRelease, claims(1, n)), dedupe.Applied)
			},
			run: func(r rig, n int) {
				r.want(r.store, claims(2, n), dedupe.Won)
				r.want(r.store, ended(dedupe.OpComplete, claims(2, n)), dedupe.Applied)
			},
			group: ddbtest.Units{Write: 3, Read: 1}, alone: ddbtest.Units{Write: 3}, requests: [2]int{4, 3},
		}, {
			name:   "heartbeat",
			before: func(r rig, n int) { r.want(r.store, claims(1, n), dedupe.Won) },
			run: func(r rig, n int) {
				ops := ended(dedupe.OpExtend, claims(1, n))
				for i := range ops {
					ops[i].LeaseEnd += 1000
				}
				r.want(r.store, ops, dedupe.Applied)
			},
			group: ddbtest.Units{Write: 1}, alone: ddbtest.Units{Write: 1}, requests: [2]int{1, 1},
		},
	} {
		for i, n := range []int{10, 1} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, ddbtest.Options{})
					r := rig{t, s, dynamodedupe.New(s.Client(), table)}
					if c.before != nil {
						c.before(r, n)
					}
					s.Reset()
					c.run(r, n)
					want := [...]ddbtest.Units{c.group, c.alone}[i]
					want.Write *= float64(n)
					want.Read *= float64(n)
					if got := s.Used(); got != want {
						t.Errorf("%d records used %+v, want %+v", n, got, want)
					}
					if got := len(s.Requests()); got != c.requests[i] {
						t.Errorf("%d records took %d requests, want %d", n, got, c.requests[i])
					}
				})
			})
		}
	}
}
