package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// heardEvent is what a process said of itself, or a fault that it met.
type heardEvent struct {
	at   time.Duration
	proc *process
	said consumer.Event // nil for a fault
	met  string
}

// story tells all that is known of a key, in the order in which it happened:
// what became of its messages, what processes said of it, the faults that
// these met, its runs, and how it ended.
func (j *judge) story(key int) []string {
	lines := j.w.deliveries(key)
	concerned := map[*process]bool{}
	for _, h := range j.l.heard {
		if rec, _ := about(h.said); rec != nil && keyIn(rec) == key {
			concerned[h.proc] = true
		}
	}
	for _, h := range j.l.heard {
		rec, text := about(h.said)
		switch {
		case h.said == nil && concerned[h.proc]:
			lines = append(lines, line{h.at, h.proc.name + " meets " + h.met})
		case h.said != nil && rec != nil && keyIn(rec) == key:
			lines = append(lines, line{h.at, h.proc.name + " says " + text})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	out := []string{fmt.Sprintf("all of %s:", keyName(key))}
	for _, l := range lines {
		out = append(out, fmt.Sprintf("    %v %s", l.at, l.text))
	}
	for _, r := range j.byKey[key] {
		out = append(out, "    "+r.String())
	}
	return append(out, fmt.Sprintf("    at the end: row %q; %s", j.rows[key].state, strings.Join(j.w.left(key), ", ")))
}

// line is one line of a story.
type line struct {
	at   time.Duration
	text string
}

// deliveries tells the lives of a key's messages in the queues.
func (w *world) deliveries(key int) (out []line) {
	mine := map[string]bool{}
	for id, m := range w.sent {
		mine[id] = m < len(w.plan.Messages) && w.plan.Messages[m].Key == key || m == len(w.plan.Messages)+key
	}
	receives := map[string]int{}
	for _, e := range w.sqs.History() {
		for i, id := range e.MessageIDs {
			if !mine[id] || e.Op == sqstest.OpMove && i == 1 {
				continue
			}
			text := fmt.Sprintf("%s of %.8s, queue %s", e.Op, id, e.Queue)
			if e.Op == sqstest.OpMove {
				text += fmt.Sprintf(", now %.8s", e.MessageIDs[1])
			}
			if e.Op == "ReceiveMessage" && e.Queue == w.queue {
				receives[id]++
				text += fmt.Sprintf(", for the %d. time of %d", receives[id], w.plan.Receives)
			}
			if e.Lost {
				text += ", the answer is lost"
			}
			out = append(out, line{e.Time.Sub(w.ledger.began), text})
		}
	}
	return out
}

// left tells where messages of a key lie.
func (w *world) left(key int) (out []string) {
	for _, name := range []string{w.queue, w.dead} {
		for _, m := range w.sqs.Messages(name) {
			if k, _ := parseBody(m.Body); k == key {
				out = append(out, fmt.Sprintf("%.8s in queue %s, received %d times", m.ID, name, m.ReceiveCount))
			}
		}
	}
	if w.given[key] {
		out = append(out, "taken out of the dead-letter queue as hopeless")
	}
	if len(out) == 0 {
		out = append(out, "no message in a queue")
	}
	return out
}

func keyIn(rec *consumer.Record) int {
	key, _ := parseBody(string(rec.Body))
	return key
}

// about returns the record that an event is about, nil when it is about none,
// and says it in words.
func about(e consumer.Event) (*consumer.Record, string) {
	say := func(rec *consumer.Record, format string, args ...any) (*consumer.Record, string) {
		return rec, strings.TrimSpace(fmt.Sprintf("%s %s "+format, append([]any{e.EventName(), rec.Body}, args...)...))
	}
	switch e := e.(type) {
	case nil:
		return nil, ""
	case consumer.Claimed:
		return say(e.Record, "fence %d, took over %v", e.Fence, e.TookOver)
	case consumer.Duplicate:
		return say(e.Record, "")
	case consumer.InProgress:
		return say(e.Record, "until %v", e.Until)
	case consumer.Parked:
		return say(e.Record, "")
	case consumer.Rejected:
		return say(e.Record, "%v", e.Err)
	case consumer.Completed:
		return say(e.Record, "fence %d", e.Fence)
	case consumer.CompletionLost:
		return say(e.Record, "fence %d: %v", e.Fence, e.Err)
	case consumer.Released:
		return say(e.Record, "fence %d, ran %v, recorded %v: %v", e.Fence, e.Ran, e.Recorded, e.Err)
	case consumer.LeaseLost:
		return say(e.Record, "fence %d: %v", e.Fence, e.Err)
	case consumer.Abandoned:
		return say(e.Record, "")
	case consumer.Failed:
		return say(e.Record, "%v", e.Err)
	case consumer.Redelivered:
		return say(e.Record, "")
	case consumer.Returned:
		return say(e.Record, "after %v: %v", e.After, e.Err)
	case consumer.VisibilityLost:
		return say(e.Record, "%v", e.Err)
	case consumer.DeleteFailed:
		return say(e.Record, "%v", e.Err)
	case consumer.DeadLettered:
		return say(e.Record, "for %v: %v", e.Reason, e.Err)
	}
	return nil, fmt.Sprintf("%s %+v", e.EventName(), e)
}
