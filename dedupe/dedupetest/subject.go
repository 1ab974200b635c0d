package dedupetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// subject is the store under test with the rows it should hold.
type subject struct {
	ctx    context.Context //nolint:containedctx // a subject lives as long as its case, whose context this is
	store  dedupe.Store
	h      Harness
	rows   map[dedupe.Key]dedupe.Row
	owners uint64
}

// The distances that cases put between now and a bound: further than any
// clock is wrong, in either direction.
const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// at returns the time d from now.
func (s *subject) at(d time.Duration) dedupe.Millis { return dedupe.MillisOf(time.Now()).Add(d) }

// owner returns one that was not used before.
func (s *subject) owner() (o dedupe.Owner) {
	s.owners++
	binary.BigEndian.PutUint64(o[8:], s.owners)
	o[0] = 0xA5
	return o
}

// claim returns a claim by a new owner with a live lease and retention.
func (s *subject) claim(key dedupe.Key) dedupe.Op { return s.claimFor(key, hour, day) }

// claimFor returns a claim whose lease and retention end at these distances
// from now.
func (s *subject) claimFor(key dedupe.Key, lease, retain time.Duration) dedupe.Op {
	return dedupe.Op{
		Kind: dedupe.OpClaim, Key: key, Owner: s.owner(),
		LeaseEnd: s.at(lease), RetainEnd: s.at(retain),
	}
}

// extend, complete and release return the operation of claim's owner.
func extend(claim dedupe.Op, lease, retain dedupe.Millis) dedupe.Op {
	return dedupe.Op{Kind: dedupe.OpExtend, Key: claim.Key, Owner: claim.Owner, LeaseEnd: lease, RetainEnd: retain}
}

func complete(claim dedupe.Op) dedupe.Op {
	return dedupe.Op{Kind: dedupe.OpComplete, Key: claim.Key, Owner: claim.Owner, RetainEnd: claim.RetainEnd}
}

func release(claim dedupe.Op, ran bool) dedupe.Op {
	op := dedupe.Op{
		Kind: dedupe.OpRelease, Key: claim.Key, Owner: claim.Owner, RetainEnd: claim.RetainEnd,
		AtMostOnce: claim.AtMostOnce, Ran: ran,
	}
	if ran {
		op.Error = "it failed"
	}
	return op
}

// do applies one operation, which must have the given outcome and agree with
// Step in everything else, and returns the row.
func (s *subject) do(op dedupe.Op, want dedupe.Outcome) dedupe.Row {
	v := s.group([]dedupe.Op{op})[0]
	if v.Outcome != want {
		failf("%s: the case wants %v, Step and the store say %v", describe(op), want, v.Outcome)
	}
	return v.Row
}

// group applies a group, which must agree with Step.
func (s *subject) group(ops []dedupe.Op) []dedupe.Verdict {
	verdicts := s.apply(ops)
	for i, op := range ops {
		s.agree(op, verdicts[i])
	}
	return verdicts
}

// apply applies a group that must be decided, whatever it says.
func (s *subject) apply(ops []dedupe.Op) []dedupe.Verdict {
	verdicts, err := try(s.ctx, s.store, ops)
	if err != nil {
		failf("%v", err)
	}
	return verdicts
}

// try is apply for goroutines of a case, which must not throw.
func try(ctx context.Context, store dedupe.Store, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	verdicts, err := store.Apply(ctx, ops)
	if err != nil {
		return nil, fmt.Errorf("Apply of %d operations: %w", len(ops), err)
	}
	if len(verdicts) != len(ops) {
		return nil, fmt.Errorf("Apply of %d operations: %d verdicts", len(ops), len(verdicts))
	}
	for i, v := range verdicts {
		if v.Outcome == dedupe.Undecided {
			return nil, fmt.Errorf("%s: undecided: %w", describe(ops[i]), v.Err)
		}
	}
	return verdicts, nil
}

// look reads the row of key back without changing it, by an operation of an
// owner that never had it, and compares it with what it should be.
func (s *subject) look(key dedupe.Key) dedupe.Row {
	return s.do(dedupe.Op{
		Kind: dedupe.OpExtend, Key: key, Owner: s.owner(), LeaseEnd: s.at(day), RetainEnd: s.at(day),
	}, dedupe.Lost)
}

// describe names an operation in a failure.
func describe(op dedupe.Op) string {
	key := string(op.Key)
	if len(key) > 40 {
		key = key[:40] + "..."
	}
	return fmt.Sprintf("%v of key %q by owner %x", op.Kind, key, op.Owner[8:])
}
