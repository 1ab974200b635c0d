package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// String returns the plan as JSON, as testdata has it.
func (p Plan) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("sim: " + err.Error())
	}
	return string(b)
}

// rowState is what stands in a key's row at the end.
type rowState struct {
	state     string
	completed int64
}

func (w *world) row(key int) (r rowState) {
	for pk, it := range w.ddb.Items(table) {
		if w.keyOf(pk) != key {
			continue
		}
		if s := it["state"].S; s != nil {
			r.state = *s
		}
		if n := it["completed"].N; n != nil {
			r.completed, _ = strconv.ParseInt(*n, 10, 64)
		}
	}
	return r
}

// judge holds what happened against the promise; broken is what was seen on
// the way.
func (w *world) judge(broken []string) Result {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	w.moves()
	j := &judge{w: w, l: l, byKey: make([][]*run, len(w.plan.Keys)), rows: make([]rowState, len(w.plan.Keys)), letters: maps.Clone(w.given), tell: map[int]bool{}}
	j.broken = slices.Concat(broken, l.odd)
	for _, r := range l.runs {
		j.byKey[r.key] = append(j.byKey[r.key], r)
	}
	for key := range w.plan.Keys {
		j.rows[key] = w.row(key)
	}
	for _, m := range w.sqs.Messages(w.dead) {
		key, _ := parseBody(m.Body)
		j.letters[key] = true
	}
	for key := range w.plan.Keys {
		j.end(key)
		j.runs(key)
		j.completions(key)
	}
	j.acknowledged()
	if w.plan.Ordered {
		j.order()
	}
	j.stories(len(broken) > 0)
	l.stats.Plays = 1
	l.stats.Requests = len(w.ddb.Requests()) + len(w.sqs.History())
	l.stats.Kills = l.stats.Faults[Killed]
	l.stats.Faults[DeliveredTwice] = surplus(w.sqs.History(), w.queue, time.Duration(w.plan.Visibility)*time.Second)
	return Result{Broken: j.broken, Stats: l.stats}
}

// moves follows messages to the ids that they got from a redrive.
func (w *world) moves() {
	for _, e := range w.sqs.History() {
		if e.Op != sqstest.OpMove {
			continue
		}
		if m, ok := w.sent[e.MessageIDs[0]]; ok {
			w.sent[e.MessageIDs[1]] = m
		}
	}
}

// judge is the judge of one play.
type judge struct {
	w       *world
	l       *ledger
	byKey   [][]*run
	rows    []rowState
	letters map[int]bool // keys with a message in the dead-letter queue
	broken  []string
	tell    map[int]bool // keys of which something is broken
}

func (j *judge) breaks(key int, format string, args ...any) {
	j.broken = append(j.broken, keyName(key)+": "+fmt.Sprintf(format, args...))
	j.tell[key] = true
}

// stories adds the stories of the keys of which something is broken; when the
// play itself went wrong, those of all that is left in a queue, and of what ran
// last.
func (j *judge) stories(wrong bool) {
	if wrong {
		for _, name := range []string{j.w.queue, j.w.dead} {
			for _, m := range j.w.sqs.Messages(name) {
				key, _ := parseBody(m.Body)
				j.tell[key] = true
			}
		}
		if n := len(j.l.runs); n > 0 {
			j.tell[j.l.runs[n-1].key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(j.tell)) {
		j.broken = append(j.broken, j.story(key)...)
	}
}

func (r *run) String() string {
	made := "no effect"
	if r.effect != 0 {
		made = fmt.Sprintf("effect at %v (%d)", r.effectAt, r.effect)
	}
	return fmt.Sprintf("run on %s from %v (%d), fence %d, %s, ended (%d), died (%d)",
		r.proc.name, r.at, r.began, r.fence, made, r.ended, r.proc.died.Load())
}

// end checks what is left of a key: its work is done, with its effect, or it
// is hopeless and says so.
func (j *judge) end(key int) {
	if !slices.ContainsFunc(j.w.plan.Messages, func(m Message) bool { return m.Key == key }) {
		return
	}
	made := j.effects(key)
	switch state := j.rows[key].state; {
	case j.w.plan.Keys[key].Never:
		if made > 0 || state == "COMPLETED" {
			j.breaks(key, "fails for good, and is %s with %d effects", state, made)
		}
		if !j.letters[key] {
			j.breaks(key, "fails for good, and is not in the dead-letter queue")
		}
	case state == "COMPLETED":
		if made == 0 {
			j.breaks(key, "is completed without an effect")
		}
	case state == "PARKED" && j.w.plan.Mode == AtMostOnce:
		if !j.letters[key] {
			j.breaks(key, "is parked, and not in the dead-letter queue")
		}
		if !j.parkable(key) {
			j.breaks(key, "is parked without a reason")
		}
	default:
		j.breaks(key, "is lost: its row is %q, with %d effects", state, made)
	}
	if made > 1 && j.w.plan.Mode == Tx {
		j.breaks(key, "has %d effects, each in the transaction that records it", made)
	}
	if len(j.byKey[key]) > 1 && j.w.plan.Mode == AtMostOnce {
		j.breaks(key, "ran %d times, at most once", len(j.byKey[key]))
	}
}

// effects returns how often the effect of a key was made.
func (j *judge) effects(key int) (n int) {
	if j.w.plan.Mode == Tx {
		if v := j.w.ddb.Items(effects)[keyName(key)]["n"].N; v != nil {
			n, _ = strconv.Atoi(*v)
		}
		return n
	}
	for _, r := range j.byKey[key] {
		if r.effect != 0 {
			n++
		}
	}
	return n
}

// runs checks each run of a key against those before it: it has a claim of its
// own, with a higher number, and what was before has ended, has failed, or
// could not be recorded.
func (j *judge) runs(key int) {
	all := j.byKey[key]
	for i, r2 := range all {
		for _, r1 := range all[:i] {
			if r2.fence <= r1.fence {
				j.breaks(key, "a later run has fence %d, an earlier one %d", r2.fence, r1.fence)
			}
			if (r1.ended == 0 || r1.ended > r2.began) && !j.excused(r1, r2) {
				j.breaks(key, "two runs at once, without a reason")
			}
			if r1.effect != 0 && r2.effect != 0 && !r1.failed && !j.excused(r1, r2) {
				j.breaks(key, "two effects without a reason")
			}
		}
		if i > 0 && r2.effect != 0 && slices.ContainsFunc(all[:i], func(r *run) bool { return r.effect != 0 }) {
			j.l.stats.Repeats++
		}
	}
}

// completions checks that a key is completed once, and not run after that.
func (j *judge) completions(key int) {
	first := recorded{}
	for _, d := range j.l.done {
		if d.key != key {
			continue
		}
		if first.at == 0 {
			first = d
		}
		if d.fence != first.fence {
			j.breaks(key, "was completed under the fences %d and %d", first.fence, d.fence)
		}
	}
	for _, r := range j.byKey[key] {
		if first.at != 0 && r.began > first.at {
			j.breaks(key, "was run after it was completed (%d)", first.at)
		}
	}
}

// acknowledged checks that no message was deleted before its work was recorded,
// but for those that were moved to the dead-letter queue.
func (j *judge) acknowledged() {
	skew := int64(0)
	for _, h := range j.w.plan.Hosts {
		skew = max(skew, int64(h.Offset), int64(-h.Offset))
	}
	told := map[int]bool{}
	for _, e := range j.w.sqs.History() {
		switch e.Op {
		case "ReceiveMessage":
			j.l.stats.Deliveries += len(e.MessageIDs)
		case "DeleteMessage", "DeleteMessageBatch":
			for _, one := range e.MessageIDs {
				m, ok := j.w.sent[one]
				if !ok || e.Queue != j.w.queue || m >= len(j.w.plan.Messages) || j.w.wasLaid(m, e.Time) || told[m] {
					continue
				}
				key := j.w.plan.Messages[m].Key
				if at := j.rows[key].completed; at == 0 || at > e.Time.UnixMilli()+skew {
					told[m] = true
					j.breaks(key, "message %d was deleted at %v, before its work was completed (%v)",
						m, e.Time.Sub(j.l.began), time.UnixMilli(at).Sub(j.l.began))
				}
			}
		}
	}
}

// order checks that the work of a group was done in the order in which it was
// sent, but for keys of which a message was a dead letter: what stands behind
// one goes on.
func (j *judge) order() {
	dead := map[int]bool{}
	for _, e := range j.w.sqs.History() {
		if e.Op == sqstest.OpDeadLetter {
			if m, ok := j.w.sent[e.MessageIDs[0]]; ok && m < len(j.w.plan.Messages) {
				dead[j.w.plan.Messages[m].Key] = true
			}
		}
	}
	for m := range j.w.laid {
		if m < len(j.w.plan.Messages) {
			dead[j.w.plan.Messages[m].Key] = true
		}
	}
	type first struct{ key, sent, began, made int } // made after it began
	groups := map[int][]first{}
	for key, k := range j.w.plan.Keys {
		f := first{key: key, sent: -1}
		for _, m := range j.w.plan.Messages {
			if m.Key == key && (f.sent < 0 || m.At < f.sent) {
				f.sent = m.At
			}
		}
		for _, r := range j.byKey[key] {
			if r.effect != 0 && (f.made == 0 || r.effect < f.made) {
				f.began, f.made = r.effect, r.effect
				if j.w.plan.Mode == Tx { // the effect is known when its answer is there, be it by a later request
					f.began = r.began
				}
			}
		}
		if f.sent >= 0 && f.made > 0 && !dead[key] {
			groups[k.Group] = append(groups[k.Group], f)
		}
	}
	for _, g := range groups {
		for _, a := range g {
			for _, b := range g {
				if a.sent < b.sent && a.began > b.made {
					j.breaks(a.key, "was sent before %s of its group, and done after it", keyName(b.key))
				}
			}
		}
	}
}
