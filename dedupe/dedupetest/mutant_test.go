package dedupetest_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
)

// stepFunc has the shape of dedupe.Step.
type stepFunc = func(dedupe.Row, dedupe.Millis, dedupe.Op) (dedupe.Row, dedupe.Verdict)

// mutant is a store with one thing broken; the zero mutant is correct.
type mutant struct {
	step                stepFunc                            // instead of dedupe.Step
	op                  func(dedupe.Op) dedupe.Op           // changes each operation first
	ops                 func(ops []dedupe.Op) []dedupe.Op   // changes each group first
	out                 func([]dedupe.Op, []dedupe.Verdict) // changes the answer
	racy, deaf, aliased bool

	mu   sync.Mutex
	rows map[dedupe.Key]dedupe.Row
}

func (m *mutant) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	if err := ctx.Err(); err != nil && !m.deaf {
		return nil, err
	}
	if m.ops != nil {
		ops = m.ops(ops)
	}
	verdicts := make([]dedupe.Verdict, len(ops))
	for i, op := range ops {
		verdicts[i] = m.apply(op)
	}
	if m.out != nil {
		m.out(ops, verdicts)
	}
	return verdicts, nil
}

func (m *mutant) apply(op dedupe.Op) dedupe.Verdict {
	if m.op != nil {
		op = m.op(op)
	}
	if !m.aliased {
		op.Result = bytes.Clone(op.Result)
	}
	step := m.step
	if step == nil {
		step = dedupe.Step
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := dedupe.MillisOf(time.Now())
	row := m.rows[op.Key]
	if m.racy { // lets others in between the read and the write
		m.mu.Unlock()
		runtime.Gosched()
		m.mu.Lock()
	}
	next, v := step(row, now, op)
	if m.rows == nil {
		m.rows = make(map[dedupe.Key]dedupe.Row)
	}
	m.rows[op.Key] = next
	return v
}

// mutants are the mistakes that stores make, with a case that must catch each.
var mutants = []struct {
	name   string
	caught string
	store  func() *mutant
}{
	{"no owner check on complete", "stale owner", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpComplete && r.Exists() {
			op.Owner = r.Owner
		}
		return dedupe.Step(r, now, op)
	})},
	{"no owner check on release", "stale owner", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpRelease && r.Exists() {
			op.Owner = r.Owner
		}
		return dedupe.Step(r, now, op)
	})},
	{"lease held one millisecond too long", "lease/bound", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpClaim && now == r.LeaseEnd {
			now--
		}
		return dedupe.Step(r, now, op)
	})},
	{"lease ends one millisecond early", "lease/bound", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpClaim && now == r.LeaseEnd-1 {
			now++
		}
		return dedupe.Step(r, now, op)
	})},
	{"row collected one millisecond early", "expiry/bound", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if r.Expired(now + 1) {
			r = dedupe.Row{}
		}
		return dedupe.Step(r, now, op)
	})},
	{"own claim not recognized", "claim/own processing row", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpClaim && r.State == dedupe.Processing && now < r.LeaseEnd {
			return r, dedupe.Verdict{Outcome: dedupe.Busy, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, op)
	})},
	{"own claim shortens the lease", "claim/own processing row", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpClaim && r.State == dedupe.Processing && r.Owner == op.Owner {
			r.LeaseEnd = op.LeaseEnd
		}
		return dedupe.Step(r, now, op)
	})},
	{"own released row won again", "claim/own finished row", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpClaim && r.State == dedupe.Failed && r.Owner == op.Owner {
			r.Owner[0]++
		}
		return dedupe.Step(r, now, op)
	})},
	{"fence restarts with a takeover", "fence/grows", won(func(before dedupe.Row, now dedupe.Millis, r *dedupe.Row) {
		r.Fence = int64(now)
	})},
	{"fence restarts at one on an expired row", "fence/grows", won(func(before dedupe.Row, now dedupe.Millis, r *dedupe.Row) {
		if before.Expired(now) || !before.Exists() {
			r.Fence = 1
		}
	})},
	{"extend shortens the lease", "lease/extend", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpExtend && r.Owner == op.Owner && r.State == dedupe.Processing {
			r.LeaseEnd = op.LeaseEnd
		}
		return dedupe.Step(r, now, op)
	})},
	{"late completion refused", "complete/late", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpComplete && r.State == dedupe.Processing && now >= r.LeaseEnd {
			return r, dedupe.Verdict{Outcome: dedupe.Lost, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, op)
	})},
	{"copy moves the completion time", "complete/doubled", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpComplete && r.State == dedupe.Completed && r.Owner == op.Owner {
			r.Completed = now
		}
		return dedupe.Step(r, now, op)
	})},
	{"release takes a completion back", "release/completed row", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpRelease && r.State == dedupe.Completed && r.Owner == op.Owner {
			r.State = dedupe.Processing
		}
		return dedupe.Step(r, now, op)
	})},
	{"release counts a run that never was", "release/ran", ops(func(op dedupe.Op) dedupe.Op {
		op.Ran = true
		return op
	})},
	{"retention ends a live lease", "expiry/live lease", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if r.Exists() && r.State != dedupe.Parked && now >= r.RetainEnd {
			r = dedupe.Row{}
		}
		return dedupe.Step(r, now, op)
	})},
	{"lapsed lease ends the retention", "expiry/lapsed lease", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if r.State == dedupe.Processing && now >= r.LeaseEnd && op.Kind == dedupe.OpClaim {
			r = dedupe.Row{}
		}
		return dedupe.Step(r, now, op)
	})},
	{"retention shortened by a claim", "expiry/never shortened", won(func(_ dedupe.Row, now dedupe.Millis, r *dedupe.Row) {
		r.RetainEnd = min(r.RetainEnd, now.Add(time.Hour))
	})},
	{"parked row expires", "at most once/parked for good", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if r.State == dedupe.Parked && now >= max(r.RetainEnd, r.LeaseEnd) {
			r = dedupe.Row{}
		}
		return dedupe.Step(r, now, op)
	})},
	{"at most once taken over", "at most once/lapsed lease", ops(func(op dedupe.Op) dedupe.Op {
		op.AtMostOnce = op.AtMostOnce && op.Kind != dedupe.OpClaim
		return op
	})},
	{"parked row not unparked by its owner", "at most once/late completion", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		if op.Kind == dedupe.OpComplete && r.State == dedupe.Parked {
			return r, dedupe.Verdict{Outcome: dedupe.Lost, Prior: r.State, Row: r}
		}
		return dedupe.Step(r, now, op)
	})},
	{"key folded to lower case", "keys/exact bytes", ops(func(op dedupe.Op) dedupe.Op {
		op.Key = dedupe.Key(strings.ToLower(string(op.Key)))
		return op
	})},
	{"key trimmed", "keys/exact bytes", ops(func(op dedupe.Op) dedupe.Op {
		op.Key = dedupe.Key(strings.TrimRight(string(op.Key), " "))
		return op
	})},
	{"key ends at NUL", "keys/exact bytes", ops(func(op dedupe.Op) dedupe.Op {
		before, _, _ := strings.Cut(string(op.Key), "\x00")
		op.Key = dedupe.Key(before)
		return op
	})},
	{"key cut at 255 bytes", "keys/exact bytes", ops(func(op dedupe.Op) dedupe.Op {
		op.Key = op.Key[:min(len(op.Key), 255)]
		return op
	})},
	{"result made valid text", "round trip/result", ops(func(op dedupe.Op) dedupe.Op {
		op.Result = bytes.ToValidUTF8(op.Result, []byte("?"))
		return op
	})},
	{"fingerprint dropped", "round trip/claim and failure", ops(func(op dedupe.Op) dedupe.Op {
		op.Fingerprint = ""
		return op
	})},
	{"times cut to seconds", "round trip/owner and times", ops(func(op dedupe.Op) dedupe.Op {
		op.LeaseEnd -= op.LeaseEnd % 1000
		return op
	})},
	{"result shared with the caller", "buffers/caller's", func() *mutant { return &mutant{aliased: true} }},
	{"read and write not atomic", "race/claims", func() *mutant { return &mutant{racy: true} }},
	{"cancelled context ignored", "cancelled context", func() *mutant { return &mutant{deaf: true} }},
	{"equal keys in a group applied once", "group/equal keys", func() *mutant {
		return &mutant{out: func(ops []dedupe.Op, verdicts []dedupe.Verdict) {
			first := make(map[dedupe.Key]dedupe.Verdict)
			for i, op := range ops {
				if v, ok := first[op.Key]; ok {
					verdicts[i] = v
				} else {
					first[op.Key] = verdicts[i]
				}
			}
		}}
	}},
	{"group cut at 25", "group/sizes", func() *mutant {
		return &mutant{ops: func(ops []dedupe.Op) []dedupe.Op { return ops[:min(len(ops), 25)] }}
	}},
	{"verdicts out of order", "group/mixed", func() *mutant {
		return &mutant{out: func(_ []dedupe.Op, verdicts []dedupe.Verdict) {
			if n := len(verdicts); n > 1 {
				verdicts[0], verdicts[n-1] = verdicts[n-1], verdicts[0]
			}
		}}
	}},
	{"verdict without its row", "claim/held key", func() *mutant {
		return &mutant{out: func(_ []dedupe.Op, verdicts []dedupe.Verdict) {
			for i := range verdicts {
				if verdicts[i].Outcome == dedupe.Busy {
					verdicts[i].Row = dedupe.Row{}
				}
			}
		}}
	}},
	{"request lost silently", "lost message/complete", stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		next, v := dedupe.Step(r, now, op)
		if op.Kind == dedupe.OpComplete && len(op.Result) > 0 {
			return r, v
		}
		return next, v
	})},
}

func stepping(f stepFunc) func() *mutant { return func() *mutant { return &mutant{step: f} } }

func ops(f func(dedupe.Op) dedupe.Op) func() *mutant { return func() *mutant { return &mutant{op: f} } }

// won makes a mutant that changes the row of a claim that wins anew.
func won(f func(before dedupe.Row, now dedupe.Millis, r *dedupe.Row)) func() *mutant {
	return stepping(func(r dedupe.Row, now dedupe.Millis, op dedupe.Op) (dedupe.Row, dedupe.Verdict) {
		next, v := dedupe.Step(r, now, op)
		if v.Outcome == dedupe.Won && next.Owner != r.Owner {
			f(r, now, &next)
			v.Row = next
		}
		return next, v
	})
}

// The suite catches each mistake, by the case of the rule that it breaks.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			failed := dedupetest.Failures(t, dedupetest.Harness{
				New:      func(*testing.T) dedupe.Store { return m.store() },
				Synctest: true,
			})
			if failed[m.caught] == nil {
				t.Errorf("case %q passed; failed were %v", m.caught, failed)
			}
		})
	}
}

// In real time the suite catches the same mistakes, but for those of a single
// millisecond at a bound.
func TestMutantsInRealTime(t *testing.T) {
	for _, m := range mutants {
		if strings.HasSuffix(m.caught, "/bound") {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			failed := dedupetest.Failures(t, dedupetest.Harness{
				New: func(*testing.T) dedupe.Store { return m.store() },
			})
			if failed[m.caught] == nil {
				t.Errorf("case %q passed; failed were %v", m.caught, failed)
			}
		})
	}
}

// The store that mutants are made of is correct: what the suite catches is
// the mutation.
func TestZeroMutant(t *testing.T) {
	for name, err := range dedupetest.Failures(t, dedupetest.Harness{
		New:      func(*testing.T) dedupe.Store { return new(mutant) },
		Synctest: true,
	}) {
		t.Errorf("%s: %v", name, err)
	}
}
