package dedupetest

import "github.com/onlyonce-go/onlyonce/dedupe"

func claimCases() []testCase {
	return []testCase{{
		name: "claim/new key",
		rule: "a claim on no row wins and makes one: PROCESSING, one claim, its owner, lease, retention and fingerprint",
		run: func(s *subject) {
			op := s.claim("k")
			op.Fingerprint = "f"
			s.do(op, dedupe.Won)
			s.look("k")
		},
	}, {
		name: "claim/held key",
		rule: "a claim on a row that another owner is processing is busy and changes nothing",
		run: func(s *subject) {
			s.do(s.claim("k"), dedupe.Won)
			s.do(s.claimFor("k", 2*hour, 2*day), dedupe.Busy)
			s.look("k")
		},
	}, {
		name: "claim/completed key",
		rule: "a claim on a COMPLETED row whose retention has not passed is done, whatever its lease",
		run: func(s *subject) {
			live, lapsed := s.claim("live"), s.claimFor("lapsed", -hour, day)
			for _, claim := range []dedupe.Op{live, lapsed} {
				s.do(claim, dedupe.Won)
				s.do(complete(claim), dedupe.Applied)
				s.do(s.claim(claim.Key), dedupe.Done)
				s.look(claim.Key)
			}
		},
	}, {
		name: "claim/other payload",
		rule: "a claim with another fingerprint on a FAILED row, or on one whose lease has passed, is busy and changes nothing",
		run: func(s *subject) {
			failed, lapsed := s.claim("failed"), s.claimFor("lapsed", -hour, day)
			for _, claim := range []dedupe.Op{failed, lapsed} {
				claim.Fingerprint = "one"
				s.do(claim, dedupe.Won)
				if claim.Key == "failed" {
					s.do(release(claim, true), dedupe.Applied)
				}
				next := s.claim(claim.Key)
				next.Fingerprint = "another"
				s.do(next, dedupe.Busy)
				s.look(claim.Key)
				next.Fingerprint = "one"
				s.do(next, dedupe.Won)
			}
		},
	}, {
		name: "claim/failed key",
		rule: "a claim on a FAILED row wins at once and keeps the row's counts, last error and creation time",
		run: func(s *subject) {
			for range 3 {
				claim := s.claim("k")
				s.do(claim, dedupe.Won)
				s.do(release(claim, true), dedupe.Applied)
			}
			if r := s.do(s.claim("k"), dedupe.Won); r.Claims != 4 || r.Failures != 3 || r.LastError == "" {
				failf("the row after three failures and a claim: %d claims, %d failures, last error %q; want 4, 3 and the error", r.Claims, r.Failures, r.LastError)
			}
		},
	}, {
		name: "claim/own processing row",
		rule: "a claim that finds its own PROCESSING row has won: its first answer was lost; the attempt stays and the lease is never shortened",
		run: func(s *subject) {
			first := s.claim("k")
			s.do(first, dedupe.Won)
			again := first
			again.LeaseEnd = s.at(2 * hour)
			s.do(again, dedupe.Won)
			s.do(first, dedupe.Won) // a late copy
			s.look("k")
		},
	}, {
		name: "claim/own lapsed row",
		rule: "a claim that finds its own PROCESSING row has won even if the lease has passed, and is no takeover",
		run: func(s *subject) {
			first := s.claimFor("k", -hour, day)
			s.do(first, dedupe.Won)
			s.do(first, dedupe.Won)
			once := first
			once.AtMostOnce = true
			s.do(once, dedupe.Won)
		},
	}, {
		name: "claim/own finished row",
		rule: "a late copy of a claim never wins the owner's own completed, released or parked row",
		run: func(s *subject) {
			completed, released, parked := s.claim("completed"), s.claim("released"), s.claim("parked")
			parked.AtMostOnce = true
			for _, claim := range []dedupe.Op{completed, released, parked} {
				s.do(claim, dedupe.Won)
			}
			s.do(complete(completed), dedupe.Applied)
			s.do(release(released, false), dedupe.Applied)
			s.do(release(parked, true), dedupe.Applied)

			s.do(completed, dedupe.Done)
			s.do(released, dedupe.Lost)
			s.do(parked, dedupe.Stuck)
		},
	}, {
		name: "absent row",
		rule: "extend, complete and release of a key without a row are lost and make none",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(extend(claim, s.at(hour), s.at(day)), dedupe.Lost)
			s.do(complete(claim), dedupe.Lost)
			s.do(release(claim, true), dedupe.Lost)
			s.do(s.claim("k"), dedupe.Won)
		},
	}}
}
