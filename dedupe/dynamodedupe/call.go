package dynamodedupe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	// maxConflicts bounds how often other writers may be faster.
	maxConflicts = 10

	// maxRetries bounds how often a throttled entry is sent again: the
	// others of its group wait for it.
	maxRetries = 4
)

// call is one call of Apply. It works in rounds: in each one every key is
// either written, read or done. What is written follows from [dedupe.Step] on
// the row as it is known or guessed, and is written only if that still
// stands; a write that is refused makes the next round one on the row as it
// really is.
type call struct {
	s        *Store
	ops      []dedupe.Op
	verdicts []dedupe.Verdict

	mu   sync.Mutex
	lost int   // operations that ended with an error of a request
	err  error // the first of these
}

// lane is one key with its operations. Only one goroutine at a time has it.
type lane struct {
	key  dedupe.Key
	todo []int // operations that are left, in order

	row   dedupe.Row
	known knowledge

	write   write          // under way
	verdict dedupe.Verdict // if it is accepted, with the row that is written
	alone   bool           // as a PutItem

	conflicts int
	retries   int
	due       time.Time // not before
}

// knowledge is what a lane knows of its row.
type knowledge uint8

const (
	unknown knowledge = iota
	guessed           // enough to try a write
	seen              // read or written by this call
)

// lanes sorts the operations by key. Those whose key cannot be are answered.
func (c *call) lanes() []*lane {
	all, room := make([]*lane, 0, len(c.ops)), make([]lane, len(c.ops))
	var byKey map[dedupe.Key]*lane
	if len(c.ops) > 1 {
		byKey = make(map[dedupe.Key]*lane, len(c.ops))
	}
	for i := range c.ops {
		op := &c.ops[i]
		if err := checkKey(op.Key); err != nil {
			c.verdicts[i].Err = err
			continue
		}
		if l := byKey[op.Key]; l != nil {
			l.todo = append(l.todo, i)
			continue
		}
		l := &room[i]
		l.key, l.todo = op.Key, []int{i}
		if row, ok := c.s.held.row(op.Key); ok {
			l.row, l.known = row, guessed
		} else if op.Kind == dedupe.OpClaim {
			l.known = guessed // that there is none
		}
		all = append(all, l)
		if byKey != nil {
			byKey[op.Key] = l
		}
	}
	return all
}

// run works on the lanes until all operations are answered.
func (c *call) run(ctx context.Context, lanes []*lane) {
	for {
		var writes, reads []*lane
		var next time.Time
		now := time.Now()
		for _, l := range lanes {
			if l.due.After(now) {
				if next.IsZero() || l.due.Before(next) {
					next = l.due
				}
				continue
			}
			switch c.plan(l, dedupe.MillisOf(now)) {
			case toWrite:
				writes = append(writes, l)
			case toRead:
				reads = append(reads, l)
			case finished:
			}
		}
		switch {
		case len(writes)+len(reads) > 0:
			c.round(ctx, writes, reads)
		case next.IsZero():
			return
		default:
			pause.For(ctx, next.Sub(now))
		}
		if ctx.Err() != nil {
			c.abandon(lanes, fmt.Errorf("dynamodedupe: apply: %w", context.Cause(ctx)))
			return
		}
		lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return len(l.todo) == 0 })
	}
}

// plan is what a lane needs next.
type plan uint8

const (
	finished plan = iota
	toWrite
	toRead
)

// plan answers what can be answered from the lane's row and says what the
// next operation needs.
func (c *call) plan(l *lane, now dedupe.Millis) plan {
	for len(l.todo) > 0 {
		if l.known == unknown {
			return toRead
		}
		var changed bool
		_, l.verdict = dedupe.Step(l.row, now, c.s.fit(c.ops[l.todo[0]]))
		if l.write, changed = newWrite(l.key, &l.row, &l.verdict.Row); changed {
			return toWrite
		}
		if l.known != seen {
			return toRead // a guess is no answer
		}
		c.answer(l)
	}
	return finished
}

// answer gives the lane's verdict to its first operation.
func (c *call) answer(l *lane) {
	c.verdicts[l.todo[0]] = l.verdict
	c.s.held.note(l.key, &l.verdict)
	l.todo = l.todo[1:]
	l.conflicts, l.retries, l.alone = 0, 0, false
}

// accepted ends a write that was applied.
func (c *call) accepted(l *lane) {
	l.row, l.known = l.verdict.Row, seen
	c.answer(l)
}

// refused ends a write that found another version of the item, which came
// with the answer or has to be read.
func (c *call) refused(l *lane, item map[string]types.AttributeValue) {
	l.conflicts++
	switch {
	case l.conflicts > maxConflicts:
		c.fail(l, fmt.Errorf("%w: key %q: %d writes were refused", ErrContended, l.key, l.conflicts))
	case len(item) == 0:
		l.known = unknown
	default:
		c.saw(l, item)
	}
}

// saw takes the item as it is in the table; an empty one is none.
func (c *call) saw(l *lane, item map[string]types.AttributeValue) {
	row, err := parseRow(l.key, item)
	if err != nil {
		c.fail(l, err)
		return
	}
	l.row, l.known = row, seen
}

// retry sends the lane's next request later, or fails it with err when it was
// sent often enough.
func (c *call) retry(l *lane, err error) {
	if l.retries >= maxRetries {
		c.fail(l, err)
		return
	}
	l.retries++
	l.due = time.Now().Add(backoff(l.retries))
}

// fail leaves the lane's operations undecided. The later ones too: whether
// the first still takes effect is not known.
func (c *call) fail(l *lane, err error) {
	for _, i := range l.todo {
		c.verdicts[i] = dedupe.Verdict{Err: err}
	}
	l.todo = nil
}

// abandon fails lanes with an error that is not theirs.
func (c *call) abandon(lanes []*lane, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	for _, l := range lanes {
		c.lost += len(l.todo)
		c.fail(l, err)
	}
}
