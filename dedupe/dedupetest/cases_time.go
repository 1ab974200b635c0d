package dedupetest

import (
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

func leaseCases() []testCase {
	return []testCase{{
		name: "lease/takeover",
		rule: "a claim takes over a PROCESSING row whose lease has passed, and keeps the row's counts and creation time",
		run: func(s *subject) {
			s.do(s.claimFor("k", -hour, day), dedupe.Won)
			s.do(s.claim("k"), dedupe.Won)
			s.do(s.claim("k"), dedupe.Busy)
			s.look("k")
		},
	}, {
		name:     "lease/bound",
		rule:     "a lease holds until its last millisecond and not one longer",
		synctest: true,
		run: func(s *subject) {
			s.do(s.claimFor("k", time.Second, day), dedupe.Won)
			time.Sleep(time.Second - time.Millisecond)
			s.do(s.claim("k"), dedupe.Busy)
			time.Sleep(time.Millisecond)
			s.do(s.claim("k"), dedupe.Won)
		},
	}, {
		name: "lease/extend",
		rule: "an extend moves the end of the lease and of the retention forward; a late copy never moves either back",
		run: func(s *subject) {
			claim := s.claimFor("k", -hour, day)
			s.do(claim, dedupe.Won)
			far := extend(claim, s.at(2*hour), s.at(2*day))
			s.do(far, dedupe.Applied)
			s.do(s.claim("k"), dedupe.Busy)
			s.do(extend(claim, s.at(hour), s.at(hour)), dedupe.Applied)
			s.do(extend(claim, s.at(-hour), s.at(-hour)), dedupe.Applied)
			s.do(s.claim("k"), dedupe.Busy)
			s.do(far, dedupe.Applied)
			s.look("k")
		},
	}, {
		name: "lease/extend finished row",
		rule: "an extend that comes after the completion or the release is lost: a heartbeat opens nothing again",
		run: func(s *subject) {
			for _, end := range []func(dedupe.Op) dedupe.Op{
				complete,
				func(c dedupe.Op) dedupe.Op { return release(c, false) },
			} {
				claim := s.claim("k" + dedupe.Key(end(s.claim("")).Kind.String()))
				s.do(claim, dedupe.Won)
				s.do(end(claim), dedupe.Applied)
				s.do(extend(claim, s.at(2*hour), s.at(2*day)), dedupe.Lost)
				s.look(claim.Key)
			}
		},
	}}
}

func expiryCases() []testCase {
	return []testCase{{
		name: "expiry/completed row",
		rule: "a row whose retention and lease have passed is as if it were not there: a claim wins and starts the row anew",
		run: func(s *subject) {
			claim := s.claimFor("k", -2*hour, -hour)
			s.do(claim, dedupe.Won)
			s.group([]dedupe.Op{complete(claim)})
			if r := s.do(s.claim("k"), dedupe.Won); r.Claims != 1 || r.Completed != 0 {
				failf("the row won after expiry has %d claims and completion time %d, want 1 and none", r.Claims, r.Completed)
			}
			s.do(s.claim("k"), dedupe.Busy)
		},
	}, {
		name: "expiry/failed row",
		rule: "what an expired row counted is not carried into the next one",
		run: func(s *subject) {
			claim := s.claimFor("k", -2*hour, -hour)
			s.do(claim, dedupe.Won)
			s.group([]dedupe.Op{release(claim, true)})
			if r := s.do(s.claim("k"), dedupe.Won); r.Failures != 0 || r.LastError != "" {
				failf("the row won after expiry has %d failures and last error %q, want none", r.Failures, r.LastError)
			}
		},
	}, {
		name:     "expiry/bound",
		rule:     "a COMPLETED row is kept until the last millisecond of its retention and not one longer",
		synctest: true,
		run: func(s *subject) {
			claim := s.claimFor("k", time.Second, time.Minute)
			s.do(claim, dedupe.Won)
			s.do(complete(claim), dedupe.Applied)
			time.Sleep(time.Minute - time.Millisecond)
			s.do(s.claim("k"), dedupe.Done)
			time.Sleep(time.Millisecond)
			s.do(s.claim("k"), dedupe.Won)
		},
	}, {
		name: "expiry/live lease",
		rule: "retention never ends a live lease, and a completed row has none",
		run: func(s *subject) {
			held, done := s.claimFor("held", hour, -hour), s.claimFor("done", hour, -hour)
			s.do(held, dedupe.Won)
			s.do(done, dedupe.Won)
			s.group([]dedupe.Op{complete(done)})
			s.do(s.claim("held"), dedupe.Busy)
			s.do(s.claim("done"), dedupe.Won)
			s.do(complete(held), dedupe.Applied)
		},
	}, {
		name: "expiry/lapsed lease",
		rule: "a lapsed lease ends no retention: the row keeps its history for the next claim",
		run: func(s *subject) {
			s.do(s.claimFor("k", -hour, hour), dedupe.Won)
			if r := s.do(s.claim("k"), dedupe.Won); r.Claims != 2 {
				failf("%d claims after a takeover, want 2", r.Claims)
			}
		},
	}, {
		name: "expiry/never shortened",
		rule: "no operation shortens the retention of a row",
		run: func(s *subject) {
			claim := s.claimFor("k", -hour, 2*day)
			s.do(claim, dedupe.Won)
			claim = s.claimFor("k", -hour, hour)
			s.do(claim, dedupe.Won)
			s.do(extend(claim, 0, s.at(-hour)), dedupe.Applied)
			s.do(release(claim, true), dedupe.Applied)
			claim = s.claimFor("k", hour, -hour)
			s.do(claim, dedupe.Won)
			s.do(complete(claim), dedupe.Applied)
			s.look("k")
		},
	}}
}

func fenceCases() []testCase {
	return []testCase{{
		name: "fence/grows",
		rule: "each claim that wins gets a fencing number above all before it: after a release, a takeover and an expired row",
		run: func(s *subject) {
			var last int64
			won := func(claim dedupe.Op) dedupe.Op {
				r := s.do(claim, dedupe.Won)
				if r.Fence <= last {
					failf("%s: fencing number %d after %d", describe(claim), r.Fence, last)
				}
				last = r.Fence
				return claim
			}
			s.do(release(won(s.claim("k")), false), dedupe.Applied)
			s.do(release(won(s.claim("k")), true), dedupe.Applied)
			won(s.claimFor("k", -hour, day))
			won(s.claimFor("k", -hour, day))
			s.pause()

			key := dedupe.Key("expired")
			last = 0
			for range 3 {
				won(s.claimFor(key, -2*hour, -hour))
				s.pause() // a collected row starts again at the milliseconds
			}
			s.group([]dedupe.Op{complete(won(s.claimFor(key, -2*hour, -hour)))})
			s.pause()
			won(s.claim(key))
		},
	}, {
		name: "fence/same within a claim",
		rule: "a copy of a claim, an extend, a completion and a release leave the fencing number as it is",
		run: func(s *subject) {
			claim := s.claim("k")
			fence := s.do(claim, dedupe.Won).Fence
			s.pause()
			for _, op := range []dedupe.Op{claim, extend(claim, s.at(hour), s.at(day)), complete(claim)} {
				if r := s.do(op, s.expect(op)); r.Fence != fence {
					failf("%s: fencing number %d, want %d as claimed", describe(op), r.Fence, fence)
				}
			}
		},
	}}
}

// expect returns the outcome of op on the row as it should be.
func (s *subject) expect(op dedupe.Op) dedupe.Outcome {
	_, v := dedupe.Step(s.rows[op.Key], s.at(0), op)
	return v.Outcome
}
