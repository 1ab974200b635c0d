package dedupetest

import "github.com/onlyonce-go/onlyonce/dedupe"

func ownerCases() []testCase {
	return []testCase{{
		name: "stale owner",
		rule: "extend, complete and release of an owner that lost the row are lost and change nothing, in every state of the row",
		run: func(s *subject) {
			for _, next := range []struct {
				name  string
				then  func(claim dedupe.Op)
				taker bool // at most once
			}{
				{name: "processing", then: func(dedupe.Op) {}},
				{name: "completed", then: func(c dedupe.Op) { s.do(complete(c), dedupe.Applied) }},
				{name: "failed", then: func(c dedupe.Op) { s.do(release(c, true), dedupe.Applied) }},
				{name: "parked", then: func(c dedupe.Op) { s.do(release(c, true), dedupe.Applied) }, taker: true},
			} {
				stale := s.claimFor(dedupe.Key(next.name), -hour, day)
				s.do(stale, dedupe.Won)
				holder := s.claim(stale.Key)
				s.do(holder, dedupe.Won)
				holder.AtMostOnce = next.taker
				next.then(holder)

				s.do(extend(stale, s.at(2*hour), s.at(2*day)), dedupe.Lost)
				s.do(complete(stale), dedupe.Lost)
				s.do(release(stale, true), dedupe.Lost)
				s.do(release(stale, false), dedupe.Lost)
				s.look(stale.Key)
			}
		},
	}, {
		name: "complete/late",
		rule: "the owner's completion counts however late it comes, as long as nobody took over",
		run: func(s *subject) {
			claim := s.claimFor("k", -hour, day)
			s.do(claim, dedupe.Won)
			s.do(complete(claim), dedupe.Applied)
			s.do(s.claim("k"), dedupe.Done)
		},
	}, {
		name: "complete/doubled",
		rule: "a second copy of a completion succeeds and changes nothing: the completion time, the result and the retention stay",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			first := complete(claim)
			first.Result = []byte("first")
			s.do(first, dedupe.Applied)
			s.pause()
			second := complete(claim)
			second.Result, second.RetainEnd = []byte("second"), s.at(2*day)
			before := s.rows["k"]
			if after := s.do(second, dedupe.Applied); after.Completed != before.Completed {
				failf("the completion time moved from %d to %d", before.Completed, after.Completed)
			}
			s.look("k")
		},
	}, {
		name: "complete/after release",
		rule: "a completion that comes after the owner's release is lost: another may have run by then",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			s.do(release(claim, false), dedupe.Applied)
			s.do(complete(claim), dedupe.Lost)
			s.do(extend(claim, s.at(2*hour), s.at(2*day)), dedupe.Lost)
			s.look("k")
		},
	}, {
		name: "release/ran",
		rule: "only a run that failed counts as a failure and leaves its error; a handler that never started does not",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			s.do(release(claim, true), dedupe.Applied)
			claim = s.claim("k")
			s.do(claim, dedupe.Won)
			if r := s.do(release(claim, false), dedupe.Applied); r.Failures != 1 {
				failf("%d failures after one run that failed and one that never started, want 1", r.Failures)
			}
			s.look("k")
		},
	}, {
		name: "release/doubled",
		rule: "a second copy of a release succeeds and changes nothing: one failure is counted once",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			s.do(release(claim, true), dedupe.Applied)
			if r := s.do(release(claim, true), dedupe.Applied); r.Failures != 1 {
				failf("%d failures after two copies of one release, want 1", r.Failures)
			}
			s.do(release(claim, false), dedupe.Applied)
			s.look("k")
		},
	}, {
		name: "release/completed row",
		rule: "a release never takes a completion back: on the owner's COMPLETED row the work is done",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			s.do(complete(claim), dedupe.Applied)
			s.do(release(claim, true), dedupe.Done)
			s.do(release(claim, false), dedupe.Done)
			s.do(s.claim("k"), dedupe.Done)
		},
	}}
}
