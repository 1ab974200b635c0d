package dedupetest

import (
	"context"
	"errors"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

func messageCases() []testCase {
	return []testCase{
		lostCase("claim", func(s *subject, key dedupe.Key) (dedupe.Op, dedupe.Outcome) {
			return s.claim(key), dedupe.Won
		}),
		lostCase("extend", func(s *subject, key dedupe.Key) (dedupe.Op, dedupe.Outcome) {
			claim := s.claim(key)
			s.do(claim, dedupe.Won)
			return extend(claim, s.at(2*hour), s.at(2*day)), dedupe.Applied
		}),
		lostCase("complete", func(s *subject, key dedupe.Key) (dedupe.Op, dedupe.Outcome) {
			claim := s.claim(key)
			s.do(claim, dedupe.Won)
			op := complete(claim)
			op.Result = []byte("result")
			return op, dedupe.Applied
		}),
		lostCase("release", func(s *subject, key dedupe.Key) (dedupe.Op, dedupe.Outcome) {
			claim := s.claim(key)
			s.do(claim, dedupe.Won)
			return release(claim, true), dedupe.Applied
		}), {
			name: "cancelled context",
			rule: "a call whose context has ended returns at once, with an error or every operation undecided",
			run:  cancelled,
		},
	}
}

// lostCase makes the case of a caller that repeats an operation because the
// request or the answer of the first try was lost.
func lostCase(kind string, start func(*subject, dedupe.Key) (dedupe.Op, dedupe.Outcome)) testCase {
	return testCase{
		name: "lost message/" + kind,
		rule: "an operation repeated after its request or its answer was lost ends as if it had been sent once",
		run: func(s *subject) {
			for key, loss := range map[dedupe.Key]Loss{"request": LoseRequest, "answer": LoseAnswer} {
				op, want := start(s, key)
				lossy := &Lossy{Store: s.store, Lose: func([]dedupe.Op) Loss { return loss }}
				if _, err := lossy.Apply(s.ctx, []dedupe.Op{op}); !errors.Is(err, ErrLost) {
					failf("%s through a lossy store: %v, want ErrLost", describe(op), err)
				}
				if loss == LoseAnswer {
					s.rows[key], _ = dedupe.Step(s.rows[key], s.at(0), op)
				}
				s.do(op, want)
				s.look(key)
			}
		},
	}
}

// cancelled calls the store with contexts that have ended.
func cancelled(s *subject) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	late, cancel := context.WithDeadline(s.ctx, time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		ops := []dedupe.Op{s.claim("a"), s.claim("b")}
		start := time.Now()
		verdicts, err := s.store.Apply(ctx, ops)
		if took := time.Since(start); took > 5*time.Second {
			failf("Apply with an ended context took %v", took)
		}
		if err != nil {
			continue
		}
		for i, v := range verdicts {
			if v.Outcome != dedupe.Undecided || v.Err == nil {
				failf("%s with an ended context: %v with error %v, want undecided with one", describe(ops[i]), v.Outcome, v.Err)
			}
		}
	}
}
