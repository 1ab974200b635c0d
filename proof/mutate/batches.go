package main

const (
	outcomeFile = "batch/outcome.go"
	sqsFile     = "sources/lambdasource/handler.go"
)

// batchDefects are those of the batch processor.
func batchDefects() []defect {
	batch := []check{of("batch"), of("sources/lambdasource")}
	return []defect{
		{
			name: "lane goes on after a failure", file: "batch/place.go", old: "		if pl.err != nil {\n", new: "		if pl.err != nil && len(drop) > 0 {\n",
			breaks: "what stands behind a failed record of its message group runs before it", checks: batch,
		},
		{
			name: "lane without order", file: "batch/place.go",
			old:    "	return pl.lane == nil || pl.lane.head < len(pl.lane.places) && pl.lane.places[pl.lane.head] == pl",
			new:    "	return pl.lane == nil || pl.lane.head < len(pl.lane.places)",
			breaks: "the records of a message group run at once", checks: batch,
		},
		{
			name: "no reserve", file: "batch/batch.go", old: "		cutoff:  deadline.Add(-reserve),", new: "		cutoff:  deadline,",
			breaks: "the answer comes after the deadline", checks: batch,
		},
		{
			name: "abandoned is done", file: outcomeFile,
			old: "pl.ticket.Abandon(&AbandonedError{Cause: context.Cause(r.ctx)})", new: "pl.ticket.Abandon(nil)",
			breaks: "a handler that still runs at the end is taken for done", checks: batch,
		},
		{
			name: "abandoned keeps its slot", file: outcomeFile, old: "				<-r.p.slots\n", new: "",
			breaks: "handlers that never return starve a warm process", checks: batch,
		},
		{
			name: "not started is done", file: outcomeFile,
			old: "		r.finish(pl, &NotStartedError{Cause: cause})", new: "		r.finish(pl, nil)",
			breaks: "what was not begun in time is acknowledged", checks: batch,
		},
		{
			name: "failure counted as done", file: outcomeFile, old: "			r.finish(pl, r.cutShort(n.err))",
			new:    "			if r.left == 1 {\n				n.err = nil\n			}\n			r.finish(pl, r.cutShort(n.err))",
			breaks: "the last record of a batch never fails", checks: batch,
		},
		{
			name: "one handler too many", file: "batch/batch.go",
			old: "slots: make(chan struct{}, o.Concurrency)}", new: "slots: make(chan struct{}, o.Concurrency+1)}",
			breaks: "more handlers run at once than were allowed", checks: batch,
		},
		{
			name: "unreadable record runs", file: "batch/work.go",
			old: "			r.finish(pl, pl.err)\n", new: "			pl.err = nil\n",
			breaks: "a record that its decoder refused is handled", checks: batch,
		},
		{
			name: "stop spares what waits", file: outcomeFile, old: "	r.queue.drop(-1)\n", new: "",
			breaks: "handlers are started in the reserve", checks: batch,
		},
	}
}

// lambdaDefects are those of the function behind a queue or a rule.
func lambdaDefects() []defect {
	source := []check{of("sources/lambdasource")}
	return []defect{
		{
			name: "a failure lost in a full batch", file: sqsFile,
			old: "	for i, err := range errs {\n", new: "	for i, err := range errs[:min(len(errs), 9)] {\n",
			breaks: "the tenth failure of a batch is acknowledged", checks: source,
		},
		{
			name: "done until told otherwise", file: sqsFile, old: "		errs[i] = errNoOutcome\n", new: "",
			breaks: "a record that its batch did not report is acknowledged", checks: source,
		},
		{
			name: "failure by the record's id", file: sqsFile, old: "RecordError{ID: ms[i].id, Err: err}", new: "RecordError{ID: ms[i].rec.ID, Err: err}",
			breaks: "a failure is reported under an id that Lambda does not know", checks: source,
		},
		{
			name: "broken record runs", file: sqsFile, old: "			return r.err\n", new: "			_ = r\n			return nil\n",
			breaks: "a record that could not be read is handled and acknowledged", checks: source,
		},
		{
			name: "unreadable payload is a success", file: sqsFile,
			old: "	if err != nil {\n		return nil, err\n	}\n	recs", new: "	if err != nil {\n		return response(nil), nil\n	}\n	recs",
			breaks: "a payload that is no SQS event is acknowledged", checks: source,
		},
		{
			name: "order unknown", file: "sources/lambdasource/message.go", old: `rec.Source, ".fifo")`, new: `rec.Source, ".FIFO")`,
			breaks: "the messages of a FIFO queue run at once", checks: source,
		},
		{
			name: "behind a hidden group", file: "sources/lambdasource/read.go", old: "		r.keepOrder()\n", new: "",
			breaks: "messages run that may stand behind one that could not be read", checks: source,
		},
		{
			name: "event acknowledged", file: "sources/lambdasource/event.go",
			old: "	case len(failures) == 0:\n		return []byte(\"null\"), nil\n	case len(ms) == 1:\n", new: "	case len(failures) == 0, len(ms) == 1:\n		return []byte(\"null\"), nil\n	case len(ms) == 0:\n",
			breaks: "an event is acknowledged whatever became of it", checks: source,
		},
	}
}
