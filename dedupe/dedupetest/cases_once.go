package dedupetest

import (
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// once returns a claim of an at-most-once consumer.
func (s *subject) once(key dedupe.Key, lease time.Duration) dedupe.Op {
	op := s.claimFor(key, lease, day)
	op.AtMostOnce = true
	return op
}

func onceCases() []testCase {
	return []testCase{{
		name: "at most once/lapsed lease",
		rule: "an at-most-once claim on a row whose lease has passed parks it: whoever held it may have run",
		run: func(s *subject) {
			s.do(s.once("k", -hour), dedupe.Won)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.do(s.claim("k"), dedupe.Stuck) // whoever asks
			s.look("k")
		},
	}, {
		name: "at most once/live lease",
		rule: "an at-most-once claim on a row with a live lease is busy and parks nothing",
		run: func(s *subject) {
			s.do(s.once("k", hour), dedupe.Won)
			s.do(s.once("k", hour), dedupe.Busy)
			s.look("k")
		},
	}, {
		name: "at most once/failed run",
		rule: "a run that failed parks an at-most-once row; copies of its release change nothing",
		run: func(s *subject) {
			claim := s.once("k", hour)
			s.do(claim, dedupe.Won)
			s.do(release(claim, true), dedupe.Applied)
			if r := s.do(release(claim, true), dedupe.Applied); r.State != dedupe.Parked || r.Failures != 1 {
				failf("%v with %d failures after a failed run, want PARKED with 1", r.State, r.Failures)
			}
			s.do(s.once("k", hour), dedupe.Stuck)
		},
	}, {
		name: "at most once/not started",
		rule: "a release of a handler that did not run makes the row claimable, parked meanwhile or not",
		run: func(s *subject) {
			claim := s.once("k", -hour)
			s.do(claim, dedupe.Won)
			s.do(release(claim, false), dedupe.Applied)

			claim = s.once("k", -hour)
			s.do(claim, dedupe.Won)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.do(release(claim, false), dedupe.Applied)
			s.do(s.once("k", hour), dedupe.Won)
		},
	}, {
		name: "at most once/late completion",
		rule: "the owner's late completion unparks its row: it ran, and well",
		run: func(s *subject) {
			claim := s.once("k", -hour)
			s.do(claim, dedupe.Won)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.do(extend(claim, s.at(hour), s.at(day)), dedupe.Lost) // but an extend does not
			s.do(complete(claim), dedupe.Applied)
			s.do(s.once("k", hour), dedupe.Done)
		},
	}, {
		name: "at most once/late failure",
		rule: "the owner's late release of a run that failed leaves a parked row as it is",
		run: func(s *subject) {
			claim := s.once("k", -hour)
			s.do(claim, dedupe.Won)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.do(release(claim, true), dedupe.Applied)
			s.do(s.once("k", hour), dedupe.Stuck)
			s.look("k")
		},
	}, {
		name: "at most once/parked for good",
		rule: "a PARKED row never expires: only a person or its owner decides it",
		run: func(s *subject) {
			claim := s.once("k", hour)
			claim.RetainEnd = s.at(hour)
			s.do(claim, dedupe.Won)
			s.do(release(claim, true), dedupe.Applied)
			gone := s.once("gone", 0)
			gone.LeaseEnd, gone.RetainEnd = s.at(-2*hour), s.at(-hour)
			// In one group: an expired row may be collected at any time before it
			// is parked.
			verdicts := s.group([]dedupe.Op{gone, release(gone, true)})
			if s.h.Synctest {
				time.Sleep(10 * 365 * day)
			}
			for range 3 {
				s.do(s.claim("k"), dedupe.Stuck)
				if verdicts[1].Outcome == dedupe.Applied {
					s.do(s.claim("gone"), dedupe.Stuck)
				}
				for i := range 20 { // traffic on other keys, which collects what may be collected
					s.do(s.claimFor(dedupe.Key("x"+string(rune('a'+i))), -2*hour, -hour), dedupe.Won)
				}
			}
		},
	}}
}
