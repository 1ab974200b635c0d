package dedupetest

import (
	"fmt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

func groupCases() []testCase {
	return []testCase{{
		name: "group/equal keys",
		rule: "operations of one group on one key apply in the order given",
		run: func(s *subject) {
			a, b, c := s.claim("k"), s.claim("k"), s.claim("k")
			other := s.claim("other")
			verdicts := s.group([]dedupe.Op{a, b, other, release(a, true), c, complete(a), complete(c), b, release(c, false), a})
			want := []dedupe.Outcome{
				dedupe.Won, dedupe.Busy, dedupe.Won, dedupe.Applied, dedupe.Won, dedupe.Lost,
				dedupe.Applied, dedupe.Done, dedupe.Done, dedupe.Done,
			}
			for i, v := range verdicts {
				if v.Outcome != want[i] {
					failf("operation %d of the group: %v, want %v", i, v.Outcome, want[i])
				}
			}
			s.look("k")
			s.look("other")
		},
	}, {
		name: "group/doubled operations",
		rule: "an operation that stands in a group twice is answered twice",
		run: func(s *subject) {
			a := s.claim("k")
			for _, v := range s.group([]dedupe.Op{a, a}) {
				if v.Outcome != dedupe.Won {
					failf("a claim and its copy in one group: %v, want won twice", v.Outcome)
				}
			}
			for _, v := range s.group([]dedupe.Op{complete(a), complete(a)}) {
				if v.Outcome != dedupe.Applied {
					failf("a completion and its copy in one group: %v, want applied twice", v.Outcome)
				}
			}
		},
	}, {
		name: "group/sizes",
		rule: "groups of any size have one verdict per operation, in order; an empty group has none and no error",
		run: func(s *subject) {
			for _, size := range []int{0, 1, 25, 26, 1000} {
				ops := make([]dedupe.Op, size)
				for i := range ops {
					ops[i] = s.claim(dedupe.Key(fmt.Sprintf("%d of %d", i, size)))
				}
				s.group(ops)
				for i := range ops {
					ops[i] = complete(ops[i])
				}
				s.group(ops)
				for i := range ops {
					ops[i] = s.claim(ops[i].Key)
				}
				for i, v := range s.group(ops) {
					if v.Outcome != dedupe.Done {
						failf("%s, %d of %d: %v, want done", describe(ops[i]), i, size, v.Outcome)
					}
				}
			}
		},
	}, {
		name: "group/mixed",
		rule: "operations on different keys are independent: one that is refused stops no other",
		run: func(s *subject) {
			held, done, fresh, mine := s.claim("held"), s.claim("done"), s.claim("fresh"), s.claim("mine")
			s.group([]dedupe.Op{held, done, mine})
			s.do(complete(done), dedupe.Applied)
			verdicts := s.group([]dedupe.Op{s.claim("held"), complete(mine), s.claim("done"), complete(fresh), fresh})
			want := []dedupe.Outcome{dedupe.Busy, dedupe.Applied, dedupe.Done, dedupe.Lost, dedupe.Won}
			for i, v := range verdicts {
				if v.Outcome != want[i] {
					failf("operation %d of the group: %v, want %v", i, v.Outcome, want[i])
				}
			}
		},
	}}
}
