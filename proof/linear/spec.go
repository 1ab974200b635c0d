package linear

import (
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// state is a row, and the text that makes two of them equal.
type state struct {
	row  dedupe.Row
	text string
}

func stateOf(r dedupe.Row) state { return state{r, fmt.Sprintf("%v", r)} }

// spec is the sequential specification of one key with that history.
func spec(ops []porcupine.Operation) porcupine.Model {
	seed := maphash.MakeSeed()
	shown := times(ops)
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{stateOf(dedupe.Row{})} },
		Step: func(st, in, out any) []any {
			return next(as[state](st), as[*input](in), as[*output](out), shown)
		},
		Equal: func(a, b any) bool { return as[state](a).text == as[state](b).text },
		Hash:  func(a any) uint64 { return maphash.String(seed, as[state](a).text) },
	}
	return m.ToModel()
}

// as gives v the type back that it had before porcupine had it.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("linear: porcupine came with a %T", v))
	}
	return t
}

// next returns the rows that the operation may leave, none when it cannot have
// been answered so.
func next(st state, in *input, out *output, shown []dedupe.Millis) []any {
	rows := []dedupe.Row{st.row}
	if st.row.Expired(in.to) {
		rows = append(rows, dedupe.Row{}) // collected
	}
	var after []any
	if out.unknown {
		after = append(after, st) // not applied
	}
	for _, row := range rows {
		for _, now := range nows(&row, in, shown) {
			left, v := dedupe.Step(row, now, in.op)
			if out.unknown || same(&v, &out.verdict) {
				after = append(after, stateOf(left))
			}
		}
	}
	return after
}

// nows returns the times that make a difference.
func nows(row *dedupe.Row, in *input, shown []dedupe.Millis) []dedupe.Millis {
	all := append([]dedupe.Millis{
		in.from, in.to, row.LeaseEnd - 1, row.LeaseEnd, row.RetainEnd - 1, row.RetainEnd,
	}, shown...)
	all = slices.DeleteFunc(all, func(t dedupe.Millis) bool { return t < in.from || t > in.to })
	slices.Sort(all)
	return slices.Compact(all)
}

// times returns the times that rows of the history showed. A fencing number
// is a time plus the claims since.
func times(ops []porcupine.Operation) (all []dedupe.Millis) {
	for _, o := range ops {
		out := as[*output](o.Output)
		if out.unknown {
			continue
		}
		r := &out.verdict.Row
		all = append(all, r.Created, r.Completed)
		for back := range int64(4) {
			all = append(all, dedupe.Millis(r.Fence-back))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// same reports whether two verdicts are the same; no result and an empty one
// are.
func same(a, b *dedupe.Verdict) bool {
	return a.Outcome == b.Outcome && a.Prior == b.Prior && fmt.Sprintf("%v", a.Row) == fmt.Sprintf("%v", b.Row)
}

// describe lists a history, one operation a line.
func describe(ops []porcupine.Operation) []string {
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	first := as[*input](ops[0].Input).from
	lines := make([]string, len(ops))
	for i, o := range ops {
		in, out := as[*input](o.Input), as[*output](o.Output)
		until := time.Duration(o.Return).Round(time.Microsecond).String()
		if o.Return == never {
			until = "never"
		}
		answer := "unknown"
		if !out.unknown {
			answer = fmt.Sprintf("%v, was %v; %s", out.verdict.Outcome, out.verdict.Prior, showRow(&out.verdict.Row, first))
		}
		lines[i] = fmt.Sprintf("caller %d, %v to %s: %v by %x, lease until %d, retention until %d, at most once %v, ran %v: %s",
			o.ClientId, time.Duration(o.Call).Round(time.Microsecond), until, in.op.Kind, in.op.Owner[:2],
			in.op.LeaseEnd-first, in.op.RetainEnd-first, in.op.AtMostOnce, in.op.Ran, answer)
	}
	return lines
}

func showRow(r *dedupe.Row, first dedupe.Millis) string {
	if !r.Exists() {
		return "no row"
	}
	return fmt.Sprintf("%v of %x, fence %d, %d claims, lease until %d, retention until %d, created %d",
		r.State, r.Owner[:2], r.Fence-int64(first), r.Claims, r.LeaseEnd-first, r.RetainEnd-first, r.Created-first)
}
