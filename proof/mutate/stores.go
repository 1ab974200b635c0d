package main

const (
	memoryFile = "dedupe/memdedupe/store.go"
	boltApply  = "dedupe/boltdedupe/apply.go"
	boltCodec  = "dedupe/boltdedupe/codec.go"
	dynamoCall = "dedupe/dynamodedupe/call.go"
	roundFile  = "dedupe/dynamodedupe/round.go"
	writeFile  = "dedupe/dynamodedupe/write.go"
	dynamoRow  = "dedupe/dynamodedupe/row.go"
	txFile     = "dedupe/dynamodedupe/tx.go"
)

func memoryDefects() []defect {
	memory := []check{of("dedupe/memdedupe")}
	return []defect{
		{
			name: "result of the caller", file: memoryFile, old: "		row.Result = bytes.Clone(op.Result) // the", new: "		row.Result = bytes.TrimSpace(op.Result) // the",
			breaks: "a result changes with the buffer it came in", checks: []check{of("dedupe/memdedupe")},
		},
		{
			name: "parked only in the answer", file: memoryFile,
			old:    "	case dedupe.Done, dedupe.Busy, dedupe.Lost: // the answers that change nothing\n		return\n	case dedupe.Won, dedupe.Applied, dedupe.Stuck, dedupe.Undecided:",
			new:    "	case dedupe.Done, dedupe.Busy, dedupe.Lost, dedupe.Stuck: // the answers that change nothing\n		return\n	case dedupe.Won, dedupe.Applied, dedupe.Undecided:",
			breaks: "a row is said to be parked and is not", checks: memory,
		},
		{
			name: "sweep too early", file: "dedupe/memdedupe/sweep.go", old: "		if now >= at.expiry {", new: "		if now.Add(1e9) >= at.expiry {",
			breaks: "finished work is forgotten before its time", checks: memory,
		},
		{
			name: "sweep by an old expiry", file: memoryFile, old: "	e.row = row\n	s.noteExpiry(e)\n", new: "	e.row = row\n",
			breaks: "finished work is forgotten when its lease would have ended", checks: memory,
		},
		{
			name: "look and write apart", file: memoryFile,
			old:    "	row, *v = dedupe.Step(e.row, now, *op)\n",
			new:    "	s.mu.Unlock()\n	row, *v = dedupe.Step(e.row, now, *op)\n	time.Sleep(time.Microsecond)\n	s.mu.Lock()\n",
			breaks: "two workers claim one key at once", checks: []check{of("dedupe/memdedupe"), {dir: "proof", pkg: "./linear", run: "TestMemory"}},
		},
	}
}

func boltDefects() []defect {
	rows := []check{of("dedupe/boltdedupe", "Row"), of("dedupe/boltdedupe")}
	damage := []check{of("dedupe/boltdedupe", "Tree", "Page", "Garbage", "Lies"), of("dedupe/boltdedupe")}
	bolt := []check{of("dedupe/boltdedupe", "Sync", "Sweep", "Conformance", "Reopen", "Unreadable", "DamagedUnderUse"), of("dedupe/boltdedupe")}
	return []defect{
		{
			name: "no checksum", file: boltCodec, old: "	if checksum(key, body) != sum {", new: "	if checksum(key, body) == sum+1 {",
			breaks: "one flipped bit makes work done that is not", checks: rows,
		},
		{
			name: "row of another version", file: boltCodec, old: "	if b[0] != rowVersion {", new: "	if b[0] == 0 {",
			breaks: "what a later program wrote is read by guesswork", checks: rows,
		},
		{
			name: "unknown state", file: boltCodec, old: "	if r.State < dedupe.Processing || r.State > dedupe.Parked {", new: "	if r.State > dedupe.Parked {",
			breaks: "a row that says nothing counts as none", checks: rows,
		},
		{
			name: "unreadable is absent", file: boltApply,
			old: "			*v = dedupe.Verdict{Err: err}\n			return false\n", new: "			row = dedupe.Row{}\n",
			breaks: "work is done again when its row is damaged", checks: bolt,
		},
		{
			name: "sweep of done work", file: "dedupe/boltdedupe/sweep.go", old: "			if row.Expired(t.now) {", new: "			if row.Expired(t.now) || row.State == dedupe.Completed {",
			breaks: "finished work is forgotten before its time", checks: bolt,
		},
		{
			name: "answer from memory", file: boltApply, old: "		if int64(tx.ID()) > s.synced.Load() {", new: "		if int64(tx.ID()) < 0 {",
			breaks: "a record is acknowledged whose completion is not on disk", checks: bolt,
		},
		{
			name: "no sync", file: "dedupe/boltdedupe/open.go", old: "		Timeout:      o.LockTimeout,\n", new: "		Timeout:      o.LockTimeout,\n		NoSync:       true,\n",
			breaks: "a power failure takes back what was recorded", checks: bolt,
		},
		{
			name: "head past the end", file: "dedupe/boltdedupe/check.go", old: "last.pages > there {", new: "last.pages < there/1000 {",
			breaks: "a head says how much memory is asked for", checks: []check{of("dedupe/boltdedupe", "Truncated", "FuzzFile")},
		},
		{
			name: "pages used twice", file: "dedupe/boltdedupe/tree.go", old: "		if t.used[first+i] {", new: "		if first+i == 0 && t.used[0] {",
			breaks: "a damaged file leads the process in a circle, or rows are written over", checks: damage,
		},
		{
			name: "keys in no order", file: "dedupe/boltdedupe/tree.go", old: "		if w.last != nil && bytes.Compare(w.last, key) >= 0 {", new: "		if w.last != nil && false {",
			breaks: "a damaged file hides finished work", checks: damage,
		},
		{
			name: "keys unlike those above", file: "dedupe/boltdedupe/tree.go", old: "		if i == 0 && above != nil && !bytes.Equal(key, above) {\n			return damagef(\"key %q stands above as %q\", key, above)\n		}\n		if w.last",
			new:    "		if w.last",
			breaks: "a damaged file loses finished work when it is written", checks: damage,
		},
		{
			name: "rows that are missing", file: "dedupe/boltdedupe/check.go", old: "	case rows != want:", new: "	case rows.rows > want.rows:",
			breaks: "a damaged file forgets finished work", checks: damage,
		},
		{
			name: "nothing there", file: "dedupe/boltdedupe/check.go", old: "buckets == 0 && h.transaction <= newTransaction {", new: "buckets == 0 {",
			breaks: "a store whose first page a disk lost is taken for a new one", checks: damage,
		},
		{
			name: "checked without the lock", file: "dedupe/boltdedupe/open.go", old: "			err = lock(s.file, o.LockTimeout)\n", new: "			err = nil\n",
			breaks: "a file that another process writes to is called damaged", checks: []check{of("dedupe/boltdedupe", "OpenAtOnce")},
		},
		{
			name: "rows from before", file: "dedupe/boltdedupe/check.go", old: "	case written != h.transaction:", new: "	case written > h.transaction:",
			breaks: "a disk that lies about a sync brings back old rows", checks: damage,
		},
		{
			name: "failed store goes on", file: "dedupe/boltdedupe/store.go", old: "		s.failed = err\n	}\n	return s.failed", new: "	}\n	return err",
			breaks: "a file that could not be written is written again", checks: bolt,
		},
		{
			name: "transaction taken back by bbolt", file: boltApply,
			old:    "	tx, err := s.db.Begin(true)\n	if err != nil {\n		return err\n	}\n	defer s.rollBack(tx)\n	if err := f(tx); err != nil {\n		return err\n	}\n	return tx.Commit()",
			new:    "	return s.db.Update(f)",
			breaks: "a damaged page leaves bbolt's lock taken, and Close waits for ever", checks: bolt,
		},
	}
}

func dynamoDefects() []defect {
	// Without what runs for long.
	dynamo := []check{of("dedupe/dynamodedupe", "^Test[^CEH]", "TestCompleteTx"), of("dedupe/dynamodedupe")}
	tx := []check{of("dedupe/dynamodedupe", "TestCompleteTx"), of("dedupe/dynamodedupe")}
	return []defect{
		{
			name: "DuplicateItem is done", file: roundFile,
			old: "	case types.BatchStatementErrorCodeEnumDuplicateItem, types.BatchStatementErrorCodeEnumConditionalCheckFailed:\n",
			new: "	case types.BatchStatementErrorCodeEnumDuplicateItem:\n		l.verdict = dedupe.Verdict{Outcome: dedupe.Done, Row: l.verdict.Row}\n		c.answer(l)\n" +
				"	case types.BatchStatementErrorCodeEnumConditionalCheckFailed:\n",
			breaks: "work in progress elsewhere is acknowledged, and that of dead workers", checks: dynamo,
		},
		{
			name: "throttled is applied", file: roundFile,
			old:    "types.BatchStatementErrorCodeEnumInternalServerError: // applied or not: the retry finds out\n		c.retry(l, err)",
			new:    "types.BatchStatementErrorCodeEnumInternalServerError: // applied or not: the retry finds out\n		c.accepted(l)",
			breaks: "a statement that was throttled counts as applied", checks: dynamo,
		},
		{
			name: "errors of statements unseen", file: roundFile,
			old: "		if e := out.Responses[i].Error; e != nil {", new: "		if e := out.Responses[i].Error; e != nil && i > 0 {",
			breaks: "the first statement of a request is taken for applied", checks: dynamo,
		},
		{
			name: "unprocessed is absent", file: roundFile,
			old: "			if l := byKey[keyOf(key)]; l != nil {\n				delete", new: "			if l := byKey[keyOf(key)]; l == nil {\n				delete",
			breaks: "a row that a throttled read left out counts as none", checks: dynamo,
		},
		{
			name: "a guess is an answer", file: dynamoCall, old: "		if l.known != seen {\n			return toRead // a guess is no answer\n		}\n", new: "",
			breaks: "a claim is decided by a row that is no longer so", checks: dynamo,
		},
		{
			name: "takeover of a moved lease", file: writeFile,
			old: "attrState, attrLeaseEnd, attrRetainEnd}\n}", new: "attrState, attrKey, attrKey}\n}",
			breaks: "a lease that was extended since it was read is taken over", checks: dynamo,
		},
		{
			name: "takeover of another's row", file: writeFile,
			old: "	return [...]string{attrOwner, attrFence, attrState,", new: "	return [...]string{attrKey, attrKey, attrKey,",
			breaks: "two workers take over one row", checks: dynamo,
		},
		{
			name: "insert without condition", file: writeFile,
			old: `		in.ConditionExpression = aws.String("attribute_not_exists(" + attrKey + ")")`, new: `		in.ConditionExpression = aws.String("attribute_exists(" + attrKey + ") OR attribute_not_exists(" + attrKey + ")")`,
			breaks: "a claim overwrites what is there", checks: dynamo,
		},
		{
			name: "reads that may be old", file: roundFile, old: "ConsistentRead: aws.Bool(true)", new: "ConsistentRead: aws.Bool(false)",
			breaks: "a claim is decided by a row of a while ago", checks: dynamo,
		},
		{
			name: "item of another version", file: dynamoRow, old: `in.bad == "" && v != strconv.Itoa(rowVersion) {`, new: `in.bad == "" && v == "" {`,
			breaks: "what a later program wrote is read by guesswork", checks: dynamo,
		},
		{
			name: "collected too early", file: dynamoRow, old: "(int64(e) + 999) / 1000", new: "int64(e) / 1000",
			breaks: "DynamoDB may collect a row before it expires", checks: dynamo,
		},
		{
			name: "unreadable item is absent", file: dynamoCall,
			old: "	if err != nil {\n		c.fail(l, err)\n		return\n	}\n	l.row, l.known = row, seen", new: "	if err != nil {\n		row = dedupe.Row{}\n	}\n	l.row, l.known = row, seen",
			breaks: "an item that cannot be read is overwritten", checks: dynamo,
		},
		{
			name: "transaction without a fence", file: txFile,
			old: "		ConditionExpression:                 put.ConditionExpression,\n", new: "		ConditionExpression:                 aws.String(\"#state <> :owner OR #owner <> :owner OR #fence <> :fence OR #lease_end <> :lease_end OR #retain_end <> :state OR #retain_end <> :retain_end OR attribute_exists(#state)\"),\n",
			breaks: "a worker that was overtaken commits", checks: tx,
		},
		{
			name: "token for each try", file: txFile,
			old: "		_, err := x.s.client.TransactWriteItems(bounded, in, once)", new: "		in.ClientRequestToken = aws.String(rand.Text())\n		_, err := x.s.client.TransactWriteItems(bounded, in, once)",
			breaks: "a transaction whose answer was lost takes its own row for another's", checks: tx,
		},
		{
			name: "unheard transaction is refused", file: txFile, old: "		case unheard:\n			x.unsure = true\n", new: "		case unheard:\n",
			breaks: "a transaction that was committed is reported as not written", checks: tx,
		},
	}
}
