package main

const (
	actionFile   = "sources/sqssource/action.go"
	dispatchFile = "sources/sqssource/dispatch.go"
	receiveFile  = "sources/sqssource/receive.go"
	beatFile     = "sources/sqssource/heartbeat.go"
)

// pollerDefects are those of the poller.
func pollerDefects() []defect {
	all := of("sources/sqssource")
	beats := []check{of("sources/sqssource", "Heartbeat", "Visibility", "Delete", "Handle", "Twelve"), all}
	settle := []check{of("sources/sqssource", "Delete", "Settling", "Message", "Duplicate", "Progress", "Permanent", "Dead", "Backoff"), all}
	fifo := []check{of("sources/sqssource", "FIFO"), all}
	return []defect{
		{
			name: "in progress deleted", file: dispatchFile,
			old: "	case err == nil:\n		m.finished = true", new: "	case isAnswer(err):\n		m.finished = true",
			breaks: "a message that another worker has is deleted", checks: settle,
		},
		{
			name: "delete by MessageId", file: actionFile,
			old: "DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &a.handle}", new: "DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &a.m.id}",
			breaks: "nothing is ever deleted", checks: settle,
		},
		{
			name: "entries of one name", file: actionFile, old: "	id := strconv.Itoa(i)\n", new: "	id := strconv.Itoa(min(i, 0))\n",
			breaks: "requests of more than one entry are refused", checks: settle,
		},
		{
			name: "failed deletes unseen", file: actionFile,
			old: "	codes := codesOf(refused, len(batch))\n	var again", new: "	codes := codesOf(refused[:0], len(batch))\n	var again",
			breaks: "a delete that failed counts as done", checks: settle,
		},
		{
			name: "delete beside a heartbeat", file: actionFile,
			old: "			case a.m.wire && !a.m.finished: // after the heartbeat under way, which could undo its return\n				a.m.then = a\n				continue\n", new: "",
			breaks: "a heartbeat under way undoes a backoff", checks: beats,
		},
		{
			name: "heartbeat after delete", file: beatFile,
			old: "		case m.wire: // its action is on the way; if that fails, it is retried or too late\n			r.beatAt(m, soon.Add(time.Millisecond))\n", new: "",
			breaks: "a message is made invisible again that was given back or deleted", checks: beats,
		},
		{
			name: "beats of what is gone", file: receiveFile, old: "	m.left = true\n	r.stopBeats(m)\n", new: "	m.left = true\n",
			breaks: "messages are extended that are not here any more", checks: beats,
		},
		{
			name: "old receipt handle", file: receiveFile,
			old: "known.handle, known.attempt, known.lost = m.handle, m.attempt, false", new: "known.attempt, known.lost = m.attempt, false",
			breaks: "a message that came again is deleted by a handle that is of no use", checks: settle,
		},
		{
			name: "copies run", file: receiveFile, old: "		if known != nil {\n			known.handle", new: "		if known != nil && known.ran {\n			known.handle",
			breaks: "a message that is here already is taken for a new one", checks: settle,
		},
		{
			name: "deadline from the answer", file: beatFile,
			old: "			m.deadline = deadline(began,", new: "			m.deadline = deadline(now,",
			breaks: "visibility is believed in longer than it lasts", checks: beats,
		},
		{
			name: "lost visibility goes on", file: beatFile, old: "		dedupe.EndHandler(ctx, ErrVisibilityLost)\n", new: "		_ = dedupe.EndHandler(r.work, ErrVisibilityLost) && ctx == nil\n",
			breaks: "a handler whose message others may have is not told", checks: beats,
		},
		{
			name: "no backoff", file: "sources/sqssource/delay.go", old: "firstDelay<<min(r.failures(m)-1, delayDoubles)", new: "firstDelay<<min(0, delayDoubles)",
			breaks: "a failing message comes again every second for ever", checks: settle,
		},
		{
			name: "failure deleted", file: dispatchFile, old: "	default:\n		r.giveBack(m, err)\n", new: "	case m.attempt > 1:\n		m.finished = true\n		r.act(&action{m: m, as: done})\n	default:\n		r.giveBack(m, err)\n",
			breaks: "a message that fails twice is deleted", checks: settle,
		},
		{
			name: "unsent dead letter", file: "sources/sqssource/deadletter.go",
			old: "	if err == nil {\n		m.finished = true", new: "	if err == nil || m.group == nil {\n		m.finished = true",
			breaks: "a message is deleted although its dead letter could not be sent", checks: settle,
		},
		{
			name: "dead letter without its id", file: "sources/sqssource/deadletter.go",
			old: "	set(deadletter.MessageID, deadletter.ID(m.rec.Attributes, m.id))\n", new: "	set(deadletter.MessageID, deadletter.ID(m.rec.Attributes, \"\"))\n",
			breaks: "a dead letter that is redriven is other work than it was", checks: settle,
		},
		{
			name: "unfinished delete forgotten", file: actionFile,
			old: "	r.finished.add(a.m.id)\n	r.tell(consumer.DeleteFailed", new: "	r.tell(consumer.DeleteFailed",
			breaks: "what is done and could not be deleted runs again", checks: settle,
		},
		{
			name: "sequence as text", file: "sources/sqssource/message.go", old: "	if len(x) != len(y) {\n		return len(x) - len(y)\n	}\n", new: "",
			breaks: "the tenth message of a group stands before the ninth", checks: fifo,
		},
		{
			name: "turns at once", file: "sources/sqssource/group.go", old: "		case r.fifo && !g.fresh, !r.fifo", new: "		case r.fifo && !g.fresh && g.running == 0, !r.fifo",
			breaks: "two turns of one message group run at once", checks: fifo,
		},
		{
			name: "head given back first", file: "sources/sqssource/group.go",
			old:    "	for _, m := range slices.Backward(g.waiting) {\n		m.group = nil\n		r.release(m)\n	}\n	if m := g.failed; m != nil {\n		m.group = nil\n		r.giveBack(m, g.err)\n	}\n",
			new:    "	if m := g.failed; m != nil {\n		m.group = nil\n		r.release(m)\n	}\n	for _, m := range g.waiting {\n		m.group = nil\n		r.giveBack(m, g.err)\n	}\n",
			breaks: "what stands behind a failed message is received before it", checks: fifo,
		},
		{
			name: "stop without deletes", file: "sources/sqssource/stop.go", old: "	r.flush()\n", new: "	r.mu.Lock()\n	r.closed = true\n	r.unlock()\n",
			breaks: "what is done when the poller stops is not deleted", checks: []check{of("sources/sqssource", "Stop"), all},
		},
		{
			name: "receives in an outage", file: "sources/sqssource/outage.go", old: "	o.total, o.since = true, time.Now()\n", new: "	o.since = time.Now()\n",
			breaks: "while the store is down messages are received until they are dead letters", checks: []check{of("sources/sqssource", "Outage", "Store"), all},
		},
	}
}
