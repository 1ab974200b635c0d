package dedupetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

const (
	schedules = 8   // each from its own seed
	steps     = 150 // groups in a schedule
)

func randomCases() []testCase {
	return []testCase{{
		name: "random/schedules",
		rule: "the store answers random schedules of several consumers, with late and doubled copies, as Step does",
		run: func(s *subject) {
			for seed := range uint64(schedules) {
				s.schedule(seed, func(r *rand.Rand) dedupe.Millis {
					return s.at([]time.Duration{-day, -hour, hour, 2 * hour, day}[r.IntN(5)])
				})
			}
		},
	}, {
		name:     "random/exact times",
		rule:     "the store answers random schedules with times at the bounds as Step does",
		synctest: true,
		run: func(s *subject) {
			for seed := range uint64(schedules) {
				s.schedule(schedules+seed, func(r *rand.Rand) dedupe.Millis {
					time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
					return s.at(time.Duration(r.IntN(9)-3) * time.Millisecond)
				})
			}
		},
	}}
}

// schedule applies random groups, with ends of leases and retentions from
// end, and reads every row back. The owner of a stale copy is often one that
// has lost its row, which is what makes it worth sending.
func (s *subject) schedule(seed uint64, end func(*rand.Rand) dedupe.Millis) {
	r := rand.New(rand.NewPCG(seed, 1))
	var sent, claims []dedupe.Op
	for range steps {
		ops := make([]dedupe.Op, 1+r.IntN(6))
		for i := range ops {
			ops[i] = s.random(r, seed, sent, claims, end)
			sent = append(sent, ops[i])
			if ops[i].Kind == dedupe.OpClaim {
				claims = append(claims, ops[i])
			}
		}
		s.group(ops)
	}
	for key := range s.rows {
		s.group([]dedupe.Op{{Kind: dedupe.OpExtend, Key: key, Owner: s.owner()}})
	}
}

// random returns a copy of an operation sent before, a new claim, or an
// operation of the owner of a recent claim.
func (s *subject) random(r *rand.Rand, seed uint64, sent, claims []dedupe.Op, end func(*rand.Rand) dedupe.Millis) dedupe.Op {
	if len(sent) > 0 && r.IntN(4) == 0 {
		return sent[max(0, len(sent)-1-r.IntN(20))]
	}
	op := dedupe.Op{
		Kind:      dedupe.OpClaim,
		Key:       dedupe.Key(fmt.Sprintf("%d/%d", seed, r.IntN(5))),
		LeaseEnd:  end(r),
		RetainEnd: end(r),
	}
	op.AtMostOnce = r.IntN(6) == 0
	if len(claims) == 0 || r.IntN(3) == 0 {
		op.Owner = s.owner()
		op.Fingerprint = fmt.Sprint("f", r.IntN(3))
		return op
	}
	claim := claims[max(0, len(claims)-1-r.IntN(8))]
	op.Key, op.Owner = claim.Key, claim.Owner
	switch r.IntN(4) {
	case 0:
		op.Kind = dedupe.OpExtend
	case 1:
		op.Kind = dedupe.OpComplete
		if r.IntN(2) == 0 {
			op.Result = fmt.Appendf(nil, "result %d", r.Int())
		}
	default:
		op.Kind = dedupe.OpRelease
		if op.Ran = r.IntN(2) == 0; op.Ran {
			op.Error = fmt.Sprint("error ", r.Int())
		}
	}
	return op
}
