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
	switch op.Kind {
	case OpClaim:
		return claim(row, now, op)
	case OpExtend:
		return extend(row, op)
	case OpComplete:
		return complete(row, now, op)
	case OpRelease:
		return release(row, op)
	}
	panic("dedupe: Step: unknown operation " + op.Kind.String())
}

// claim gives the key to op.Owner when nobody holds it.
func claim(row Row, now Millis, op Op) (Row, Verdict) {
	if row.Exists() && row.Owner == op.Owner {
		return claimOwn(row, op)
	}
	prior := row.State
	if row.Expired(now) {
		prior = Absent
	}
	switch prior {
	case Absent, Failed: // nobody's
	case Completed:
		return row, Verdict{Outcome: Done, Prior: prior, Row: row}
	case Parked:
		return row, Verdict{Outcome: Stuck, Prior: prior, Row: row}
	case Processing:
		if now < row.LeaseEnd {
			return row, Verdict{Outcome: Busy, Prior: prior, Row: row}
		}
		if op.AtMostOnce { // whoever held it may have run it
			row.State = Parked
			return row, Verdict{Outcome: Stuck, Prior: prior, Row: row}
		}
	}
	next := Row{
		State:       Processing,
		Owner:       op.Owner,
		Fence:       int64(now),
		Claims:      1,
		LeaseEnd:    op.LeaseEnd,
		RetainEnd:   op.RetainEnd,
		Created:     now,
		Fingerprint: op.Fingerprint,
	}
	if row.Exists() { // also of an expired row: the number never goes back
		next.Fence = row.Fence + 1
	}
	if prior != Absent {
		next.Claims = row.Claims + 1
		next.Failures = row.Failures
		next.Created = row.Created
		next.LastError = row.LastError
		next.RetainEnd = max(row.RetainEnd, op.RetainEnd)
	}
	return next, Verdict{Outcome: Won, Prior: prior, Row: next}
}

// claimOwn answers a claim that finds its own owner: a copy of a claim that
// was applied before. It holds only while the row is still being processed;
// after a release or a completion the copy comes too late to mean anything.
func claimOwn(row Row, op Op) (Row, Verdict) {
	v := Verdict{Prior: row.State}
	switch row.State {
	case Processing:
		row.LeaseEnd = max(row.LeaseEnd, op.LeaseEnd)
		v.Outcome = Won
	case Completed:
		v.Outcome = Done
	case Parked:
		v.Outcome = Stuck
	default:
		v.Outcome = Lost
	}
	v.Row = row
	return row, v
}

// extend moves the end of the owner's lease, never backwards.
func extend(row Row, op Op) (Row, Verdict) {
	v := Verdict{Outcome: Lost, Prior: row.State}
	if row.State == Processing && row.Owner == op.Owner {
		row.LeaseEnd = max(row.LeaseEnd, op.LeaseEnd)
		row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
		v.Outcome = Applied
	}
	v.Row = row
	return row, v
}

// complete records that the owner's handler succeeded. It is accepted however
// late it comes, as long as nobody took over.
func complete(row Row, now Millis, op Op) (Row, Verdict) {
	v := Verdict{Outcome: Lost, Prior: row.State}
	switch {
	case !row.Exists() || row.Owner != op.Owner:
	case row.State == Completed: // a copy: the completion time stays
		v.Outcome = Applied
	case row.State == Processing || row.State == Parked:
		row.State = Completed
		row.Completed = now
		row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
		row.LastError = ""
		row.Result = op.Result
		row.ResultLost = op.ResultLost
		v.Outcome = Applied
	}
	v.Row = row
	return row, v
}

// release gives the owner's key back. Only a run that failed counts as a
// failure, and only such a run parks an at-most-once row.
func release(row Row, op Op) (Row, Verdict) {
	v := Verdict{Outcome: Lost, Prior: row.State}
	switch {
	case !row.Exists() || row.Owner != op.Owner:
	case row.State == Completed: // a transaction committed, its answer was lost
		v.Outcome = Done
	case row.State == Failed: // a copy
		v.Outcome = Applied
	case row.State == Parked && op.Ran: // a copy, or parked by another claim
		v.Outcome = Applied
	case row.State == Processing || row.State == Parked:
		row.RetainEnd = max(row.RetainEnd, op.RetainEnd)
		row.State = Failed
		if op.Ran {
			row.Failures++
			row.LastError = op.Error
			if op.AtMostOnce {
				row.State = Parked
			}
		}
		v.Outcome = Applied
	}
	v.Row = row
	return row, v
}
