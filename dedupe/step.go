package dedupe

// Step is the protocol. It takes the row of op's key as it stands (the zero
// Row when there is none), the time now and one operation, and returns the
// row as it must be afterwards with the verdict. It has no other effect, so
// it is at once the specification, the body of the embedded stores, and what
// every other store and model is checked against.
//
// When the returned row equals the given one nothing needs to be written.
// now is the clock of whoever decides; it must be of the same kind as the
// clocks that set op's times, within the guard's skew.
func Step(row Row, now Millis, op Op) (Row, Verdict) {
	v := Verdict{Prior: row.State}
	switch op.Kind {
	case OpClaim:
		v.Outcome, v.Prior = claim(&row, now, &op)
	case OpExtend:
		v.Outcome = extend(&row, &op)
	case OpComplete:
		v.Outcome = complete(&row, now, &op)
	case OpRelease:
		v.Outcome = release(&row, &op)
	default:
		panic("dedupe: Step: unknown operation " + op.Kind.String())
	}
	v.Row = row
	return row, v
}

// claim gives the key to op.Owner when nobody holds it. An expired row counts
// as none, but for its fencing number, which never goes back.
func claim(row *Row, now Millis, op *Op) (Outcome, State) {
	if row.Exists() && row.Owner == op.Owner {
		return claimOwn(row, op), row.State
	}
	prior, fence := row.State, row.Fence+1
	if row.Expired(now) && (prior != Processing || !op.AtMostOnce) {
		prior = Absent
	}
	if (prior == Processing || prior == Failed) && otherPayload(row, op) {
		return Busy, prior // what was begun under this key may have had an effect
	}
	switch prior {
	case Completed:
		return Done, prior
	case Parked:
		return Stuck, prior
	case Processing:
		if now < row.LeaseEnd {
			return Busy, prior
		}
		if op.AtMostOnce { // whoever held it may have run it
			row.State = Parked
			return Stuck, prior
		}
	case Absent, Failed: // nobody's
	}
	if !row.Exists() {
		fence = int64(now)
	}
	if prior == Absent {
		*row = Row{Created: now}
	}
	row.State, row.Owner, row.Fence = Processing, op.Owner, fence
	row.Claims++
	row.LeaseEnd = op.LeaseEnd
	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
	row.Fingerprint = op.Fingerprint
	return Won, prior
}

// otherPayload reports whether the key was used for another payload. A row or
// a claim without a fingerprint says nothing of it.
func otherPayload(row *Row, op *Op) bool {
	return row.Fingerprint != "" && op.Fingerprint != "" && row.Fingerprint != op.Fingerprint
}

// claimOwn answers a claim that finds its own owner: a copy of a claim that
// was applied before. It holds only while the row is still being processed;
// after a release or a completion the copy comes too late to mean anything.
func claimOwn(row *Row, op *Op) Outcome {
	switch row.State {
	case Processing:
		row.LeaseEnd = max(row.LeaseEnd, op.LeaseEnd)
		return Won
	case Completed:
		return Done
	case Parked:
		return Stuck
	case Absent, Failed:
	}
	return Lost
}

// extend moves the end of the owner's lease, never backwards.
func extend(row *Row, op *Op) Outcome {
	if row.State != Processing || row.Owner != op.Owner {
		return Lost
	}
	row.LeaseEnd = max(row.LeaseEnd, op.LeaseEnd)
	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
	return Applied
}

// complete records that the owner's handler succeeded. It is accepted however
// late it comes, as long as nobody took over.
func complete(row *Row, now Millis, op *Op) Outcome {
	switch {
	case !row.Exists() || row.Owner != op.Owner:
		return Lost
	case row.State == Completed: // a copy: the completion time stays
		return Applied
	case row.State == Failed: // after its own release
		return Lost
	}
	row.State = Completed
	row.Completed = now
	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
	row.LastError = ""
	row.Result = op.Result
	row.ResultLost = op.ResultLost
	return Applied
}

// release gives the owner's key back. Only a run that failed counts as a
// failure, and only such a run parks an at-most-once row.
func release(row *Row, op *Op) Outcome {
	switch {
	case !row.Exists() || row.Owner != op.Owner:
		return Lost
	case row.State == Completed: // a transaction committed, its answer was lost
		return Done
	case row.State == Failed: // a copy
		return Applied
	case row.State == Parked && op.Ran: // a copy, or parked by another claim
		return Applied
	}
	row.State = Failed
	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
	if op.Ran {
		row.Failures++
		row.LastError = op.Error
		if op.AtMostOnce {
			row.State = Parked
		}
	}
	return Applied
}
