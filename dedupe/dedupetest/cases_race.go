package dedupetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Races are repeated, since one may go well by chance.
const (
	racers = 16
	rounds = 20
)

func raceCases() []testCase {
	return []testCase{{
		name: "race/claims",
		rule: "of claims that race for a new key exactly one wins",
		run: func(s *subject) {
			for round := range rounds {
				key := dedupe.Key(fmt.Sprint("k", round))
				s.raceClaims(key)
			}
		},
	}, {
		name: "race/takeover",
		rule: "of claims that race for a lapsed row exactly one takes it over, and the old owner has lost it",
		run: func(s *subject) {
			for round := range rounds {
				key := dedupe.Key(fmt.Sprint("k", round))
				old := s.claimFor(key, -hour, day)
				s.do(old, dedupe.Won)
				s.raceClaims(key)
				if v := s.apply([]dedupe.Op{complete(old)})[0]; v.Outcome != dedupe.Lost {
					failf("%s after a takeover: %v, want lost", describe(complete(old)), v.Outcome)
				}
			}
		},
	}, {
		name: "race/completion and takeover",
		rule: "a late completion and a takeover that race: one of them comes first, and the other is told",
		run: func(s *subject) {
			for round := range rounds {
				old := s.claimFor(dedupe.Key(fmt.Sprint("k", round)), -hour, day)
				s.do(old, dedupe.Won)
				ops := []dedupe.Op{complete(old), s.claim(old.Key)}
				if round%2 == 1 {
					slices.Reverse(ops)
				}
				verdicts := s.race(ops)
				if round%2 == 1 {
					slices.Reverse(verdicts)
				}
				done, taken := verdicts[0].Outcome, verdicts[1].Outcome
				doneFirst := done == dedupe.Applied && taken == dedupe.Done
				takenFirst := done == dedupe.Lost && taken == dedupe.Won
				if !doneFirst && !takenFirst {
					failf("completion %v and takeover %v, want applied and done, or lost and won", done, taken)
				}
			}
		},
	}, {
		name: "race/copies",
		rule: "copies of one completion that race are one completion",
		run: func(s *subject) {
			for round := range rounds {
				claim := s.claim(dedupe.Key(fmt.Sprint("k", round)))
				s.do(claim, dedupe.Won)
				verdicts := s.race(slices.Repeat([]dedupe.Op{complete(claim)}, racers))
				for _, v := range verdicts {
					if v.Outcome != dedupe.Applied || v.Row.Completed != verdicts[0].Row.Completed {
						failf("copies of one completion: %v at %d and %v at %d, want both applied at one time",
							verdicts[0].Outcome, verdicts[0].Row.Completed, v.Outcome, v.Row.Completed)
					}
				}
			}
		},
	}, {
		name: "race/overlapping groups",
		rule: "groups that name the same keys in different orders are all decided, and each key is won once",
		run: func(s *subject) {
			const keys = 20
			groups := make([][]dedupe.Op, racers)
			for g := range groups {
				for k := range keys {
					groups[g] = append(groups[g], s.claim(dedupe.Key(fmt.Sprint("k", (k+g)%keys))))
				}
				if g%2 == 1 {
					slices.Reverse(groups[g])
				}
			}
			winners := make(map[dedupe.Key]int)
			for g, verdicts := range s.raceGroups(groups) {
				for i, v := range verdicts {
					switch v.Outcome {
					case dedupe.Won:
						winners[groups[g][i].Key]++
					case dedupe.Busy:
					default:
						failf("%s: %v, want won or busy", describe(groups[g][i]), v.Outcome)
					}
				}
			}
			for k := range keys {
				if n := winners[dedupe.Key(fmt.Sprint("k", k))]; n != 1 {
					failf("key k%d was won %d times, want once", k, n)
				}
			}
		},
	}}
}

// raceClaims races claims for key; exactly one must win, with the fencing
// number that the row then has, and the others must be busy with that row.
func (s *subject) raceClaims(key dedupe.Key) {
	ops := make([]dedupe.Op, racers)
	for i := range ops {
		ops[i] = s.claim(key)
	}
	winner := -1
	verdicts := s.race(ops)
	for i, v := range verdicts {
		switch {
		case v.Outcome == dedupe.Won && winner >= 0:
			failf("key %q was won twice: by owners %x and %x", key, ops[winner].Owner[8:], ops[i].Owner[8:])
		case v.Outcome == dedupe.Won:
			winner = i
		case v.Outcome != dedupe.Busy:
			failf("%s: %v, want won or busy", describe(ops[i]), v.Outcome)
		}
	}
	if winner < 0 {
		failf("nobody won key %q", key)
	}
	for i, v := range verdicts {
		if v.Row.Owner != ops[winner].Owner {
			failf("%s: %v with a row of owner %x, want the winner %x", describe(ops[i]), v.Outcome, v.Row.Owner[8:], ops[winner].Owner[8:])
		}
	}
	s.rows[key] = verdicts[winner].Row
	s.look(key)
}

// race applies each operation from a goroutine of its own, all at once.
func (s *subject) race(ops []dedupe.Op) []dedupe.Verdict {
	groups := make([][]dedupe.Op, len(ops))
	for i := range ops {
		groups[i] = ops[i : i+1]
	}
	all := make([]dedupe.Verdict, len(ops))
	for i, verdicts := range s.raceGroups(groups) {
		all[i] = verdicts[0]
	}
	return all
}

// raceGroups applies each group from a goroutine of its own, all at once.
func (s *subject) raceGroups(groups [][]dedupe.Op) [][]dedupe.Verdict {
	all, errs := make([][]dedupe.Verdict, len(groups)), make([]error, len(groups))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, ops := range groups {
		wg.Go(func() {
			<-start
			all[i], errs[i] = try(s.ctx, s.store, ops)
		})
	}
	close(start)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		failf("%d calls at once were not decided within a minute: a deadlock?", len(groups))
	}
	if err := errors.Join(errs...); err != nil {
		failf("%v", err)
	}
	return all
}
