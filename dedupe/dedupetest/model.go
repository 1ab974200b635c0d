package dedupetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// agree compares a verdict with Step's on the row that the key should have,
// and takes the row that the store now has as the one it should have. Of a
// row that has expired the store may have forgotten everything.
func (s *subject) agree(op dedupe.Op, got dedupe.Verdict) {
	now := dedupe.MillisOf(time.Now())
	before := s.rows[op.Key]
	_, want := dedupe.Step(before, now, op)
	wrong := s.diff(got, want)
	if wrong != "" && before.Expired(now) {
		_, want := dedupe.Step(dedupe.Row{}, now, op)
		if s.diff(got, want) == "" {
			wrong = ""
		}
	}
	if wrong != "" {
		failf("%s on %s: %s", describe(op), show(before), wrong)
	}
	s.rows[op.Key] = got.Row
}

// diff says where got differs from want, and is empty where it does not.
// Fields that the store fills from its own clock may differ by the skew.
func (s *subject) diff(got, want dedupe.Verdict) string {
	var out []string
	add := func(field string, got, want any) {
		if got != want {
			out = append(out, fmt.Sprintf("%s = %v, want %v", field, got, want))
		}
	}
	add("Outcome", got.Outcome, want.Outcome)
	add("Prior", got.Prior, want.Prior)
	if got.Outcome != want.Outcome {
		return strings.Join(out, "; ") // the row only repeats it
	}
	g, w := got.Row, want.Row
	add("Row.State", g.State, w.State)
	add("Row.Owner", g.Owner, w.Owner)
	add("Row.Claims", g.Claims, w.Claims)
	add("Row.Failures", g.Failures, w.Failures)
	add("Row.LeaseEnd", g.LeaseEnd, w.LeaseEnd)
	add("Row.RetainEnd", g.RetainEnd, w.RetainEnd)
	add("Row.LastError", g.LastError, w.LastError)
	add("Row.Fingerprint", g.Fingerprint, w.Fingerprint)
	s.addClock(add, "Row.Fence", g.Fence, w.Fence)
	s.addClock(add, "Row.Created", int64(g.Created), int64(w.Created))
	s.addClock(add, "Row.Completed", int64(g.Completed), int64(w.Completed))
	if s.h.NoResult && len(w.Result) > 0 && g.Result == nil && g.ResultLost {
		return strings.Join(out, "; ")
	}
	add("Row.ResultLost", g.ResultLost, w.ResultLost)
	if !bytes.Equal(g.Result, w.Result) { // no result and an empty one are equal here
		add("Row.Result", fmt.Sprintf("%q", g.Result), fmt.Sprintf("%q", w.Result))
	}
	return strings.Join(out, "; ")
}

// addClock compares a number of milliseconds. One that was just taken from
// this process's clock may be off by the skew; any other must be exact.
func (s *subject) addClock(add func(string, any, any), field string, got, want int64) {
	off := time.Duration(got-want) * time.Millisecond
	fresh := time.Since(dedupe.Millis(want).Time()).Abs() <= s.h.Skew
	if !s.h.Synctest && fresh && got != 0 && off.Abs() <= s.h.Skew {
		return
	}
	add(field, got, want)
}

// show names a row in a failure.
func show(r dedupe.Row) string {
	if !r.Exists() {
		return "no row"
	}
	return fmt.Sprintf("a %v row of owner %x (lease %s, retention %s)", r.State, r.Owner[8:], from(r.LeaseEnd), from(r.RetainEnd))
}

func from(m dedupe.Millis) string {
	d := m.Sub(dedupe.MillisOf(time.Now()))
	if d < 0 {
		return "ended " + (-d).String() + " ago"
	}
	return "ends in " + d.String()
}
