package main

const (
	stepFile = "dedupe/step.go"
	rowFile  = "dedupe/row.go"
)

// protocolDefects are those of the one function that is the protocol. What
// misses them is caught once more by the conformance suite and by the models.
func protocolDefects() []defect {
	step := []check{of("dedupe", "^TestStep"), of("dedupe")}
	return []defect{
		{
			name: "complete without owner", file: stepFile,
			old:    "	case !row.Exists() || row.Owner != op.Owner:\n		return Lost\n	case row.State == Completed: // a copy: the",
			new:    "	case !row.Exists():\n		return Lost\n	case row.State == Completed: // a copy: the",
			breaks: "a worker that was overtaken completes the row of the one that overtook it", checks: step,
		},
		{
			name: "lease bound", file: stepFile, old: "if now < row.LeaseEnd {", new: "if now <= row.LeaseEnd {",
			breaks: "at its very end a lease still holds", checks: step,
		},
		{
			name: "expiry bound", file: rowFile, old: "now >= e", new: "now > e",
			breaks: "at its very end a retention still holds", checks: step,
		},
		{
			name: "own claim forgotten", file: stepFile,
			old:    "if row.Exists() && row.Owner == op.Owner {",
			new:    "if row.Exists() && row.Owner == op.Owner && row.State != Processing {",
			breaks: "a claim whose answer was lost finds itself in progress elsewhere", checks: step,
		},
		{
			name: "late copy of a claim", file: stepFile,
			old:    "	case Absent, Failed:\n	}\n	return Lost\n}\n\n// extend",
			new:    "	case Absent, Failed:\n		row.State = Processing\n		return Won\n	}\n	return Lost\n}\n\n// extend",
			breaks: "a late copy of a claim takes up a row again that its owner gave back", checks: step,
		},
		{
			name: "claim of done work", file: stepFile,
			old: "	case Completed:\n		return Done, prior\n	case Parked:\n", new: "	case Completed:\n	case Parked:\n",
			breaks: "finished work is claimed again", checks: step,
		},
		{
			name: "claim of a live lease", file: stepFile, old: "		if now < row.LeaseEnd {\n			return Busy, prior\n		}\n",
			new:    "		if now < row.LeaseEnd && row.Claims == 0 {\n			return Busy, prior\n		}\n",
			breaks: "work in progress is claimed", checks: step,
		},
		{
			name: "fencing number stands still", file: stepFile, old: "row.State, row.Fence+1", new: "row.State, row.Fence",
			breaks: "after a takeover both workers have the same fencing number", checks: step,
		},
		{
			name: "fencing number starts again", file: stepFile,
			old: "	if !row.Exists() {\n		fence = int64(now)", new: "	if prior == Absent {\n		fence = int64(now)",
			breaks: "over an expired row the fencing number can fall", checks: step,
		},
		{
			name: "extend shortens", file: stepFile,
			old:    "	row.LeaseEnd = max(row.LeaseEnd, op.LeaseEnd)\n	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)\n	return Applied",
			new:    "	row.LeaseEnd = op.LeaseEnd\n	row.RetainEnd = max(row.RetainEnd, op.RetainEnd)\n	return Applied",
			breaks: "an extend that arrives late takes back a later one", checks: step,
		},
		{
			name: "extend without owner", file: stepFile,
			old: "	if row.State != Processing || row.Owner != op.Owner {", new: "	if row.State != Processing {",
			breaks: "a worker that was overtaken keeps the lease of another alive", checks: step,
		},
		{
			name: "release without owner", file: stepFile,
			old:    "	case !row.Exists() || row.Owner != op.Owner:\n		return Lost\n	case row.State == Completed: // a transaction",
			new:    "	case !row.Exists():\n		return Lost\n	case row.State == Completed: // a transaction",
			breaks: "the late failure of an overtaken worker gives the row of another away", checks: step,
		},
		{
			name: "release of done work", file: stepFile,
			old: "	case row.State == Completed: // a transaction committed, its answer was lost\n		return Done\n", new: "",
			breaks: "a transaction that committed is undone by the release after it", checks: step,
		},
		{
			name: "complete after release", file: stepFile,
			old: "	case row.State == Failed: // after its own release\n		return Lost\n", new: "",
			breaks: "a row that was given back is completed", checks: step,
		},
		{
			name: "late completion refused", file: stepFile,
			old: "	case row.State == Failed: // after its own release", new: "	case row.State == Failed, row.LeaseEnd <= now:",
			breaks: "work that took longer than its lease runs again although nobody took over", checks: step,
		},
		{
			name: "retention ends a lease", file: rowFile,
			old: "		return max(r.RetainEnd, r.LeaseEnd)", new: "		return r.RetainEnd",
			breaks: "a retention shorter than the run lets a second worker in", checks: step,
		},
		{
			name: "at-most-once taken over", file: stepFile,
			old: "		if op.AtMostOnce { // whoever held it may have run it", new: "		if op.AtMostOnce && op.Ran {",
			breaks: "what may have run, runs again", checks: step,
		},
		{
			name: "at-most-once parked unrun", file: stepFile, old: "	if op.Ran {\n", new: "	if op.Ran || op.AtMostOnce {\n",
			breaks: "a record that never started is parked", checks: step,
		},
	}
}
