package dedupe_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The times of these tests: now is stepNow, and bounds lie around it.
const (
	stepNow    = dedupe.Millis(1_700_000_000_000)
	stepPast   = stepNow - 1000
	stepFuture = stepNow + 1000
	stepFar    = stepNow + 1_000_000
)

// Two owners: the one of the rows, and one that comes later or came before.
var stepMine, stepOther = dedupe.Owner{1}, dedupe.Owner{2}

// stepRow returns stepMine's row in that state, claimed twice and failed once,
// with a live lease.
func stepRow(state dedupe.State) dedupe.Row {
	r := dedupe.Row{
		State: state, Owner: stepMine, Fence: 7, Claims: 2, Failures: 1, LastError: "first",
		LeaseEnd: stepFuture, RetainEnd: stepFar, Created: stepPast, Fingerprint: "f",
	}
	if state == dedupe.Completed {
		r.Completed, r.LastError, r.Result = stepPast, "", []byte("result")
	}
	return r
}

// stepLapsed is stepRow with a lease that has passed.
func stepLapsed(state dedupe.State) dedupe.Row {
	r := stepRow(state)
	r.LeaseEnd = stepPast
	return r
}

func stepOp(kind dedupe.OpKind, owner dedupe.Owner) dedupe.Op {
	return dedupe.Op{Kind: kind, Key: "k", Owner: owner, LeaseEnd: stepFar, RetainEnd: stepFar + 1}
}

// wantStep applies op at stepNow and returns the row. A nil want means that
// the row must stay as it is.
func wantStep(t *testing.T, row dedupe.Row, op dedupe.Op, outcome dedupe.Outcome, prior dedupe.State, want *dedupe.Row) {
	t.Helper()
	if want == nil {
		want = &row
	}
	got, v := dedupe.Step(row, stepNow, op)
	if v.Outcome != outcome || v.Prior != prior || v.Err != nil {
		t.Errorf("%v on %+v:\n%v with prior %v, %v; want %v with prior %v", op.Kind, row, v.Outcome, v.Prior, v.Err, outcome, prior)
	}
	if !reflect.DeepEqual(got, *want) || !reflect.DeepEqual(v.Row, got) {
		t.Errorf("%v on %+v:\nrow     %+v\nverdict %+v\nwant    %+v", op.Kind, row, got, v.Row, *want)
	}
}

// A first delivery claims a key that has no row, with a fencing number that a
// collected row did not reach.
func TestStepClaimNewKey(t *testing.T) {
	op := stepOp(dedupe.OpClaim, stepMine)
	op.Fingerprint = "f"
	wantStep(t, dedupe.Row{}, op, dedupe.Won, dedupe.Absent, &dedupe.Row{
		State: dedupe.Processing, Owner: stepMine, Fence: int64(stepNow), Claims: 1,
		LeaseEnd: stepFar, RetainEnd: stepFar + 1, Created: stepNow, Fingerprint: "f",
	})
}

// A second delivery of the same work changes nothing while the first is
// running, is completed or is parked, whichever kind of consumer asks.
func TestStepClaimRefused(t *testing.T) {
	for _, test := range []struct {
		row  dedupe.Row
		want dedupe.Outcome
	}{
		{stepRow(dedupe.Processing), dedupe.Busy},
		{stepRow(dedupe.Completed), dedupe.Done},
		{stepLapsed(dedupe.Completed), dedupe.Done},
		{stepRow(dedupe.Parked), dedupe.Stuck},
		{stepLapsed(dedupe.Parked), dedupe.Stuck},
	} {
		for _, once := range []bool{false, true} {
			op := stepOp(dedupe.OpClaim, stepOther)
			op.AtMostOnce = once
			wantStep(t, test.row, op, test.want, test.row.State, nil)
		}
	}
}

// A redelivery takes over what a dead worker left and what a failed one gave
// back, at once for the latter; the counts go on and the fence grows.
func TestStepClaimTakesOver(t *testing.T) {
	for _, row := range []dedupe.Row{stepLapsed(dedupe.Processing), stepRow(dedupe.Failed), stepLapsed(dedupe.Failed)} {
		wantStep(t, row, stepOp(dedupe.OpClaim, stepOther), dedupe.Won, row.State, &dedupe.Row{
			State: dedupe.Processing, Owner: stepOther, Fence: 8, Claims: 3, Failures: 1, LastError: "first",
			LeaseEnd: stepFar, RetainEnd: stepFar + 1, Created: stepPast,
		})
		row.RetainEnd = stepFar + 1000 // longer than the claim asks for: it stays
		if next, _ := dedupe.Step(row, stepNow, stepOp(dedupe.OpClaim, stepOther)); next.RetainEnd != row.RetainEnd {
			t.Errorf("takeover of %v: retention ends at %d, want %d", row.State, next.RetainEnd, row.RetainEnd)
		}
	}
}

// Both bounds belong to the time after them: a lease and a retention that end
// now have ended, and a millisecond earlier they have not.
func TestStepBounds(t *testing.T) {
	processing, completed := stepRow(dedupe.Processing), stepRow(dedupe.Completed)
	claim := stepOp(dedupe.OpClaim, stepOther)
	for _, test := range []struct {
		end  dedupe.Millis
		held bool
	}{{stepNow - 1, false}, {stepNow, false}, {stepNow + 1, true}} {
		processing.LeaseEnd = test.end
		completed.LeaseEnd, completed.RetainEnd = stepPast, test.end
		_, lease := dedupe.Step(processing, stepNow, claim)
		_, retention := dedupe.Step(completed, stepNow, claim)
		if (lease.Outcome == dedupe.Busy) != test.held || (retention.Outcome == dedupe.Done) != test.held {
			t.Errorf("bound at now%+d: lease %v, retention %v; want held %v", test.end-stepNow, lease.Outcome, retention.Outcome, test.held)
		}
	}
}

// A claim on an expired row starts anew but above its fencing number, which
// the next system may still remember.
func TestStepClaimExpired(t *testing.T) {
	for _, state := range []dedupe.State{dedupe.Processing, dedupe.Completed, dedupe.Failed} {
		row := stepLapsed(state)
		row.RetainEnd = stepNow
		wantStep(t, row, stepOp(dedupe.OpClaim, stepOther), dedupe.Won, dedupe.Absent, &dedupe.Row{
			State: dedupe.Processing, Owner: stepOther, Fence: 8, Claims: 1,
			LeaseEnd: stepFar, RetainEnd: stepFar + 1, Created: stepNow,
		})
	}
}

// Retention and lease are two clocks: a retention that has passed ends no live
// lease, and a parked row outlives both. A completed row has no lease left: it
// is forgotten when its retention has passed.
func TestStepRetentionEndsNoLease(t *testing.T) {
	completed := stepRow(dedupe.Completed)
	completed.RetainEnd = stepPast
	if _, v := dedupe.Step(completed, stepNow, stepOp(dedupe.OpClaim, stepOther)); v.Outcome != dedupe.Won || v.Prior != dedupe.Absent {
		t.Errorf("completed and past its retention: got %v with prior %v, want won with prior ABSENT", v.Outcome, v.Prior)
	}
	for state, want := range map[dedupe.State]dedupe.Outcome{
		dedupe.Processing: dedupe.Busy, dedupe.Parked: dedupe.Stuck,
	} {
		row := stepRow(state)
		row.RetainEnd = stepPast
		if state == dedupe.Parked {
			row.LeaseEnd = stepPast
		}
		wantStep(t, row, stepOp(dedupe.OpClaim, stepOther), want, state, nil)
	}
}

// A claim repeated because its answer was lost has won; a copy that comes
// late never shortens the lease, even when the lease has passed meanwhile.
func TestStepClaimOwn(t *testing.T) {
	for _, lease := range []dedupe.Millis{stepPast, stepFuture, stepFar + 1000} {
		row := stepRow(dedupe.Processing)
		row.LeaseEnd = lease
		want := row
		want.LeaseEnd = max(lease, stepFar)
		op := stepOp(dedupe.OpClaim, stepMine)
		wantStep(t, row, op, dedupe.Won, dedupe.Processing, &want)
		op.AtMostOnce = true
		wantStep(t, row, op, dedupe.Won, dedupe.Processing, &want)
	}
}

// A copy of a claim that arrives after its owner finished wins nothing: a
// handler must not start again on it.
func TestStepClaimOwnTooLate(t *testing.T) {
	for state, want := range map[dedupe.State]dedupe.Outcome{
		dedupe.Completed: dedupe.Done, dedupe.Failed: dedupe.Lost, dedupe.Parked: dedupe.Stuck,
	} {
		wantStep(t, stepRow(state), stepOp(dedupe.OpClaim, stepMine), want, state, nil)
	}
}

// What a worker sends after another took over, or when there is no row, is
// lost and changes nothing.
func TestStepStaleOwner(t *testing.T) {
	states := []dedupe.State{dedupe.Absent, dedupe.Processing, dedupe.Completed, dedupe.Failed, dedupe.Parked}
	for _, state := range states {
		rows := []dedupe.Row{stepRow(state), stepLapsed(state)}
		if state == dedupe.Absent {
			rows = []dedupe.Row{{}}
		}
		for _, row := range rows {
			for _, kind := range []dedupe.OpKind{dedupe.OpExtend, dedupe.OpComplete, dedupe.OpRelease} {
				op := stepOp(kind, stepOther)
				op.Result = []byte("stale")
				for _, ran := range []bool{false, true} {
					op.Ran = ran
					wantStep(t, row, op, dedupe.Lost, state, nil)
				}
			}
		}
	}
}

// An extend that was overtaken by a later one moves neither end back, and one
// that comes after the end of the work opens nothing.
func TestStepExtend(t *testing.T) {
	op := stepOp(dedupe.OpExtend, stepMine)
	row, want := stepLapsed(dedupe.Processing), stepLapsed(dedupe.Processing)
	want.LeaseEnd, want.RetainEnd = op.LeaseEnd, op.RetainEnd
	wantStep(t, row, op, dedupe.Applied, dedupe.Processing, &want)

	late := op
	late.LeaseEnd, late.RetainEnd = stepPast, stepPast
	wantStep(t, want, late, dedupe.Applied, dedupe.Processing, nil)

	for _, state := range []dedupe.State{dedupe.Completed, dedupe.Failed, dedupe.Parked} {
		wantStep(t, stepRow(state), op, dedupe.Lost, state, nil)
	}
}

// A completion counts however late it comes while nobody took over, also on a
// row that was parked meanwhile, and never shortens the retention.
func TestStepComplete(t *testing.T) {
	for _, row := range []dedupe.Row{
		stepRow(dedupe.Processing), stepLapsed(dedupe.Processing), stepRow(dedupe.Parked), stepLapsed(dedupe.Parked),
	} {
		for _, retain := range []dedupe.Millis{stepPast, stepFar + 1000} {
			op := stepOp(dedupe.OpComplete, stepMine)
			op.RetainEnd, op.Result, op.ResultLost = retain, []byte("new"), true
			want := row
			want.State, want.Completed, want.LastError = dedupe.Completed, stepNow, ""
			want.RetainEnd = max(row.RetainEnd, retain)
			want.Result, want.ResultLost = op.Result, true
			wantStep(t, row, op, dedupe.Applied, row.State, &want)
		}
	}
}

// A copy of a completion changes nothing, and a completion after the owner's
// release is lost: another may be running.
func TestStepCompleteTooLate(t *testing.T) {
	op := stepOp(dedupe.OpComplete, stepMine)
	op.Result, op.RetainEnd = []byte("copy"), stepFar+5000
	wantStep(t, stepRow(dedupe.Completed), op, dedupe.Applied, dedupe.Completed, nil)
	wantStep(t, stepRow(dedupe.Failed), op, dedupe.Lost, dedupe.Failed, nil)
}

// A release gives the key back; only a run that failed counts, and only that
// parks the row of an at-most-once consumer, from where a handler that did
// not run sets it free.
func TestStepRelease(t *testing.T) {
	for _, test := range []struct {
		from      dedupe.State
		ran, once bool
		want      dedupe.State
	}{
		{dedupe.Processing, false, false, dedupe.Failed},
		{dedupe.Processing, true, false, dedupe.Failed},
		{dedupe.Processing, false, true, dedupe.Failed},
		{dedupe.Processing, true, true, dedupe.Parked},
		{dedupe.Parked, false, true, dedupe.Failed},
		{dedupe.Parked, false, false, dedupe.Failed},
	} {
		for _, row := range []dedupe.Row{stepRow(test.from), stepLapsed(test.from)} {
			op := stepOp(dedupe.OpRelease, stepMine)
			op.Ran, op.AtMostOnce, op.Error = test.ran, test.once, "second"
			want := row
			want.State, want.RetainEnd = test.want, op.RetainEnd
			if test.ran {
				want.Failures, want.LastError = 2, "second"
			}
			wantStep(t, row, op, dedupe.Applied, test.from, &want)
		}
	}
}

// A copy of a release counts no second failure, one that finds its row parked
// leaves it so, and none takes a completion back.
func TestStepReleaseTooLate(t *testing.T) {
	for _, test := range []struct {
		state dedupe.State
		ran   bool
		want  dedupe.Outcome
	}{
		{dedupe.Failed, true, dedupe.Applied},
		{dedupe.Failed, false, dedupe.Applied},
		{dedupe.Parked, true, dedupe.Applied},
		{dedupe.Completed, true, dedupe.Done},
		{dedupe.Completed, false, dedupe.Done},
	} {
		op := stepOp(dedupe.OpRelease, stepMine)
		op.Ran, op.Error, op.RetainEnd = test.ran, "copy", stepFar+5000
		wantStep(t, stepRow(test.state), op, test.want, test.state, nil)
	}
}

// An at-most-once claim parks a row whose holder may have run it, and only
// that: a live one is busy and one that was given back is claimed.
func TestStepAtMostOnceClaim(t *testing.T) {
	op := stepOp(dedupe.OpClaim, stepOther)
	op.AtMostOnce = true
	parked := stepLapsed(dedupe.Processing)
	parked.State = dedupe.Parked
	wantStep(t, stepLapsed(dedupe.Processing), op, dedupe.Stuck, dedupe.Processing, &parked)
	wantStep(t, stepRow(dedupe.Processing), op, dedupe.Busy, dedupe.Processing, nil)
	if _, v := dedupe.Step(stepRow(dedupe.Failed), stepNow, op); v.Outcome != dedupe.Won {
		t.Errorf("at-most-once claim of a FAILED row: %v, want won", v.Outcome)
	}
}

// Whatever order messages come in, late, lost and doubled: a stale owner
// changes nothing, work that is done stays done for its retention, fence and
// lease never go back, and a second copy of any operation does nothing.
func TestStepInvariants(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		var row dedupe.Row
		var sent []dedupe.Op
		now, fresh := stepNow, byte(0)
		end := func() dedupe.Millis { return now + dedupe.Millis(r.IntN(60)-10) }
		for range 300 {
			now += dedupe.Millis(r.IntN(8))
			op := dedupe.Op{Kind: dedupe.OpClaim, Key: "k", LeaseEnd: end(), RetainEnd: end(), AtMostOnce: r.IntN(5) == 0}
			switch {
			case len(sent) > 0 && r.IntN(3) == 0:
				op = sent[max(0, len(sent)-1-r.IntN(10))] // a late copy
			case len(sent) > 0 && r.IntN(3) > 0:
				op.Kind = dedupe.OpExtend + dedupe.OpKind(r.IntN(3))
				op.Owner = sent[max(0, len(sent)-1-r.IntN(6))].Owner
				op.Ran, op.Error = r.IntN(2) == 0, "failed"
			default:
				fresh++
				op.Owner = dedupe.Owner{fresh, byte(len(sent)), byte(len(sent) >> 8), 1}
			}
			sent = append(sent, op)
			next, v := dedupe.Step(row, now, op)
			if broken := brokenInvariant(row, next, now, op, v); broken != "" {
				t.Fatalf("seed %d: %s:\n%v %+v\nat %d on %+v\ngave %+v", seed, broken, op.Kind, op, now, row, next)
			}
			row = next
		}
	}
}

// brokenInvariant names what the step from row to next must not do.
func brokenInvariant(row, next dedupe.Row, now dedupe.Millis, op dedupe.Op, v dedupe.Verdict) string {
	same := reflect.DeepEqual(row, next)
	mine := row.Exists() && row.Owner == op.Owner
	later := now // a claim that was refused may be heard later: not a copy's doing
	if v.Outcome == dedupe.Won || v.Outcome == dedupe.Applied {
		later = now.Add(24 * time.Hour)
	}
	again, v2 := dedupe.Step(next, later, op)
	switch {
	case !reflect.DeepEqual(v.Row, next):
		return "the verdict has another row"
	case v.Outcome == dedupe.Undecided || v.Err != nil:
		return "not decided"
	case !mine && op.Kind != dedupe.OpClaim && (!same || v.Outcome != dedupe.Lost):
		return "a stale owner was heard"
	case (v.Outcome == dedupe.Lost || v.Outcome == dedupe.Busy || v.Outcome == dedupe.Done) && !same:
		return "a refusal changed the row"
	case row.State == dedupe.Completed && !row.Expired(now) && !same:
		return "completed work did not stay so"
	case row.State == dedupe.Parked && !mine && !same:
		return "a parked row was changed by another than its owner"
	case next.Fence < row.Fence || next.Owner != row.Owner && next.Fence == row.Fence:
		return "the fence did not grow"
	case next.Owner == row.Owner && next.LeaseEnd < row.LeaseEnd:
		return "the lease went back"
	case next.Owner == row.Owner && next.RetainEnd < row.RetainEnd:
		return "the retention went back"
	case next.Owner != row.Owner && row.State == dedupe.Processing && now < row.LeaseEnd:
		return "a live lease was taken"
	case !reflect.DeepEqual(again, next):
		return "a copy changed the row"
	case v2.Outcome != v.Outcome:
		return "a copy was answered " + v2.Outcome.String() + " after " + v.Outcome.String()
	}
	return ""
}

// A claim for another payload gets no row that was begun under its key: not a
// failed one, nor one whose lease has passed; the first run may have had an
// effect. One that names no payload is not told apart, and an expired row is
// no row.
func TestStepClaimOtherPayload(t *testing.T) {
	for _, atMostOnce := range []bool{false, true} {
		other := stepOp(dedupe.OpClaim, stepOther)
		other.Fingerprint, other.AtMostOnce = "another", atMostOnce
		for _, row := range []dedupe.Row{stepRow(dedupe.Failed), stepLapsed(dedupe.Processing), stepRow(dedupe.Processing)} {
			wantStep(t, row, other, dedupe.Busy, row.State, nil)
		}
	}
	for _, fingerprint := range []string{"f", ""} {
		same := stepOp(dedupe.OpClaim, stepOther)
		same.Fingerprint = fingerprint
		for _, row := range []dedupe.Row{stepRow(dedupe.Failed), stepLapsed(dedupe.Processing)} {
			if _, v := dedupe.Step(row, stepNow, same); v.Outcome != dedupe.Won {
				t.Errorf("fingerprint %q on %v: got %v, want won", fingerprint, row.State, v.Outcome)
			}
		}
	}
	expired := stepRow(dedupe.Failed)
	expired.RetainEnd = stepPast
	other := stepOp(dedupe.OpClaim, stepOther)
	other.Fingerprint = "another"
	if _, v := dedupe.Step(expired, stepNow, other); v.Outcome != dedupe.Won {
		t.Errorf("on an expired row: got %v, want won", v.Outcome)
	}
}
