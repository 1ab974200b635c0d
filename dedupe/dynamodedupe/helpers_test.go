package dynamodedupe_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// rig is a server with the table and a store on it.
type rig struct {
	*testing.T
	*ddbtest.Server
	store *dynamodedupe.Store
}

// bubble runs f in a synctest bubble, once with statements and once with
// single items.
func bubble(t *testing.T, o ddbtest.Options, f func(rig)) {
	t.Helper()
	for name, single := range map[string]bool{"statements": false, "single items": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, o)
				f(rig{t, s, dynamodedupe.New(s.Client(), table, dynamodedupe.Options{SingleItem: single})})
			})
		})
	}
}

// other is another worker's store on the same table.
func (r rig) other() *dynamodedupe.Store { return dynamodedupe.New(r.Client(), table) }

// apply applies ops, which must not fail as a whole.
func (r rig) apply(s *dynamodedupe.Store, ops ...dedupe.Op) []dedupe.Verdict {
	r.Helper()
	verdicts, err := s.Apply(r.Context(), ops)
	if err != nil {
		r.Fatalf("Apply of %d operations: %v", len(ops), err)
	}
	return verdicts
}

// want applies ops, which must have these outcomes.
func (r rig) want(s *dynamodedupe.Store, ops []dedupe.Op, outcomes ...dedupe.Outcome) []dedupe.Verdict {
	r.Helper()
	verdicts := r.apply(s, ops...)
	for i, v := range verdicts {
		if w := outcomes[i%len(outcomes)]; v.Outcome != w {
			r.Errorf("%v of key %q: %v (%v), want %v", ops[i].Kind, ops[i].Key, v.Outcome, v.Err, w)
		}
	}
	return verdicts
}

// count counts the requests of an operation since the last Reset.
func (r rig) count(op string) int {
	n := 0
	for _, req := range r.Requests() {
		if req.Op == op {
			n++
		}
	}
	return n
}

// claims returns claims of keys key-0 to key-n by owners that the worker has.
func claims(worker byte, n int) []dedupe.Op {
	ops := make([]dedupe.Op, n)
	now := dedupe.MillisOf(time.Now())
	for i := range ops {
		ops[i] = dedupe.Op{
			Kind: dedupe.OpClaim, Key: dedupe.Key(fmt.Sprint("key-", i)), Owner: dedupe.Owner{worker},
			LeaseEnd: now.Add(time.Minute), RetainEnd: now.Add(24 * time.Hour),
		}
		binary.BigEndian.PutUint32(ops[i].Owner[8:], uint32(i))
	}
	return ops
}

// ended returns the operations of that kind by the owners of claims.
func ended(kind dedupe.OpKind, claims []dedupe.Op) []dedupe.Op {
	ops := slices.Clone(claims)
	for i := range ops {
		ops[i].Kind = kind
		if kind == dedupe.OpRelease {
			ops[i].Ran, ops[i].Error = true, "it failed"
		}
	}
	return ops
}
