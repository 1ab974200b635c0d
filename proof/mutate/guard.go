package main

const (
	ticketFile    = "dedupe/ticket.go"
	settleFile    = "dedupe/settle.go"
	sessionFile   = "dedupe/session.go"
	flightFile    = "dedupe/flight.go"
	heartbeatFile = "dedupe/heartbeat.go"
	commitFile    = "dedupe/completewith.go"
)

// guardDefects are those of the guard, which speaks the protocol.
func guardDefects() []defect {
	guard := []check{of("dedupe"), of("batch")}
	return []defect{
		{
			name: "acknowledge in progress", file: ticketFile,
			old: "	t.report(consumer.RetryAfter(time.Until(leaseEnd.Time()), ErrInProgress))", new: "	t.report(nil)",
			breaks: "work that somebody else is doing is acknowledged, and lost when that worker dies", checks: guard,
		},
		{
			name: "complete before the handler", file: ticketFile,
			old: "	err = h.HandleRecord(&t.ctx, t.rec)\n",
			new: "	if t.s.g != nil {\n		t.s.g.comb.apply(t.s.ctx, []Op{{Kind: OpComplete, Key: t.key, Owner: t.owner, RetainEnd: t.leaseEnd}})\n	}\n" +
				"	err = h.HandleRecord(&t.ctx, t.rec)\n",
			breaks: "a crash in the handler loses the record", checks: guard,
		},
		{
			name: "release after success", file: settleFile,
			old: "	case err == nil:\n		t.send(OpComplete, late)", new: "	case err == nil:\n		t.send(OpRelease, late)",
			breaks: "work that was done is given back and runs again", checks: guard,
		},
		{
			name: "completion given up", file: settleFile,
			old: "		more := t.kind == OpComplete || t.tries < releaseTries", new: "		more := t.tries < releaseTries",
			breaks: "a store that is away for a second makes done work run again", checks: guard,
		},
		{
			name: "undecided completion acknowledged", file: settleFile,
			old: "	case Undecided:\n		err = &StoreError{Op: OpComplete, Err: v.Err}", new: "	case Undecided:\n		t.report(nil)\n		return",
			breaks: "a record is acknowledged whose completion may not be recorded", checks: guard,
		},
		{
			name: "lost completion acknowledged", file: settleFile,
			old: "	default:\n		err = ErrLeaseLost\n	}", new: "	default:\n		t.report(nil)\n		return\n	}",
			breaks: "a worker that was overtaken acknowledges what the other has not finished", checks: guard,
		},
		{
			name: "undecided claim runs", file: ticketFile, old: "	switch v.Outcome {\n	case Won:\n", new: "	switch v.Outcome {\n	case Won, Undecided:\n",
			breaks: "a handler runs without a claim when the store does not answer", checks: guard,
		},
		{
			name: "undecided claim stays", file: ticketFile, old: "		t.forget(err)\n", new: "",
			breaks: "a claim that was applied although nobody heard of it holds up the record for a lease", checks: guard,
		},
		{
			name: "new owner for each try", file: sessionFile,
			old: "			sub[k] = ops[i]\n", new: "			sub[k] = ops[i]\n			sub[k].Owner[0]++\n",
			breaks: "a claim that is tried again does not know itself", checks: guard,
		},
		{
			name: "start without a margin", file: ticketFile,
			old:    "	if t.s.g != nil && t.leaseEnd.Sub(MillisOf(time.Now())) <= t.s.g.o.Skew {\n		t.mu.Unlock()",
			new:    "	if t.s.g != nil && t.leaseEnd.Sub(MillisOf(time.Now())) < -t.s.g.o.Lease {\n		t.mu.Unlock()",
			breaks: "a claim that took longer than its lease is not extended before the handler", checks: guard,
		},
		{
			name: "lost lease goes on", file: heartbeatFile, old: "		t.ctx.end(lost)", new: "		_ = lost",
			breaks: "the handler of a lost lease is not told", checks: guard,
		},
		{
			name: "lease lost too late", file: heartbeatFile,
			old: "		left := t.leaseEnd.Sub(now) - t.s.g.o.Skew", new: "		left := t.leaseEnd.Sub(now)",
			breaks: "a lease that cannot be confirmed is kept into its margin, where clocks differ", checks: guard,
		},
		{
			name: "no heartbeat", file: sessionFile, old: "	if won {\n", new: "	if won && now < 0 {\n",
			breaks: "a handler that takes longer than its lease loses it", checks: guard,
		},
		{
			name: "lease past the deadline", file: "dedupe/guard.go",
			old: "		end = max(min(end, MillisOf(deadline)), now)", new: "		end = max(end, now)",
			breaks: "a worker that is killed at its deadline holds up its records", checks: guard,
		},
		{
			name: "twin of a failure", file: flightFile,
			old: "	default:\n		t.report(err)\n	}\n}\n\n// cutOff", new: "	default:\n		t.report(nil)\n	}\n}\n\n// cutOff",
			breaks: "a copy of a record is acknowledged although the record failed", checks: guard,
		},
		{
			name: "twin of another payload", file: flightFile,
			old: "		t.done(lead.fingerprint, 0, true)", new: "		t.done(t.fingerprint, 0, true)",
			breaks: "another payload under the same key is taken for done", checks: guard,
		},
		{
			name: "twin across lanes", file: flightFile,
			old: "t.rec.Ordered && (lead.s != t.s || lead.mayWaitFor(t))", new: "t.rec.Ordered && lead.mayWaitFor(t)",
			breaks: "two batches wait for each other for ever", checks: guard,
		},
		{
			name: "claims ahead at most once", file: "dedupe/guard.go",
			old: "{ return g != nil && g.o.AtMostOnce }", new: "{ return false }",
			breaks: "a crash parks records that only waited", checks: guard,
		},
		{
			name: "transaction beside a heartbeat", file: commitFile,
			old:    "	s.leases = slices.DeleteFunc(s.leases, func(held *Ticket) bool { return held == t })\n	return s.beating",
			new:    "	_ = slices.Contains(s.leases, t)\n	return s.beating",
			breaks: "an extend conflicts with the handler's own transaction", checks: guard,
		},
		{
			name: "second transaction", file: commitFile, old: "	state = tried\n", new: "	state = untried\n",
			breaks: "after an undecided transaction a second one takes the row of the first for its own", checks: guard,
		},
	}
}

// keyDefects are those of what makes two records the same work.
func keyDefects() []defect {
	keys := []check{of("dedupe", "Key", "Field")}
	return []defect{
		{
			name: "no length in keys", file: "dedupe/keywriter.go",
			old: "		w.buf = strconv.AppendUint(w.buf, uint64(len(text)), 10)\n", new: "",
			breaks: "parts that hold slashes make two identities one", checks: keys,
		},
		{
			name: "one type in keys", file: "dedupe/field.go", old: "		put(w, tagNumber, raw)", new: "		put(w, tagString, raw)",
			breaks: "the number 1 and the string \"1\" are one identity", checks: keys,
		},
		{
			name: "null is a key", file: "dedupe/field.go",
			old: "	case jsontext.KindInvalid, jsontext.KindNull:\n		return ErrNoKey", new: "	case jsontext.KindInvalid:\n		return ErrNoKey\n	case jsontext.KindNull:\n		put(w, tagString, \"null\")",
			breaks: "all records without an identity are one", checks: keys,
		},
		{
			name: "event known by its message", file: "sources/decode.go",
			old: "	rec.ID, rec.Source, rec.Type, rec.Replay = id, source, typ, replay\n", new: "	rec.ID, rec.Source, rec.Type, rec.Replay = max(rec.MessageID, id), source, typ, replay\n",
			breaks: "an event that comes in two messages is two events", checks: []check{of("sources"), of("sources/lambdasource")},
		},
	}
}
