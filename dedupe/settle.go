package dedupe

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onlyonce-go/onlyonce/consumer"
)

const (
	settleBackoff = 50 * time.Millisecond
	settleDoubles = 5 // the wait between two tries stays below a second
	releaseTries  = 3
	maxErrorText  = 200 // bytes of an error that are kept in the row
)

// settlement is the operation that ends a ticket, while it is on its way.
type settlement struct {
	kind    OpKind
	cause   error // what a release tells
	tracked bool  // the session waits for the answer
	tries   int
	until   time.Time
	retain  Millis
}

// Settle records the handler's outcome: a completion when err is nil, else a
// release. Settled is told once that is recorded, or cannot be. Settle waits
// for that only outside of Enter and Leave.
func (t *Ticket) Settle(err error) {
	t.mu.Lock()
	if t.at() != running && t.at() != ready {
		t.mu.Unlock()
		return
	}
	t.to(settling)
	late, decided := t.abandoned, t.decided
	t.mu.Unlock()
	switch {
	case t.s.g == nil:
		t.report(err)
	case decided != nil: // by CompleteWith, whatever the handler says
		t.completed(decided)
	case err == nil:
		t.send(OpComplete, late)
	default:
		t.cause = err
		t.send(OpRelease, late)
	}
}

// Skip gives up a record whose handler did not start; its claim is released.
// It reports whether that was so. Settled is told err.
func (t *Ticket) Skip(err error) bool {
	if err == nil {
		err = errGivenUp // nil would acknowledge what was not done
	}
	t.mu.Lock()
	state := t.at()
	if state == ready || state == following {
		t.to(settling)
	}
	t.mu.Unlock()
	switch {
	case state == following, state == ready && t.s.g == nil:
		t.report(err)
	case state == ready:
		t.cause = err
		t.prepare(OpRelease, false)
		t.s.g.comb.gather(t.entry())
	default:
		return false
	}
	return true
}

// Abandon reports a record whose handler still runs as failed with err, and
// reports whether that was so. The claim is not released: it lapses, unless
// the handler ends well before another worker took over. A record that
// [CompleteWith] completed is reported as done.
func (t *Ticket) Abandon(err error) bool {
	t.mu.Lock()
	if t.at() != running || t.abandoned {
		t.mu.Unlock()
		return false
	}
	t.abandoned = true
	lease := t.leaseEnd
	if t.decided != nil && t.decided.Outcome == Applied {
		err = nil // its work is done and recorded
	}
	t.mu.Unlock()
	if t.s.observed() {
		t.s.observe(consumer.Abandoned{Record: t.rec, Key: string(t.key)})
	}
	if t.s.g != nil {
		for _, f := range t.leave() {
			if f.unfollow() {
				f.busy(t.s.g.twinUntil(lease))
			}
		}
	}
	t.s.o.Settled(t, err)
	return true
}

// op is the operation that ends the ticket.
func (t *Ticket) op() Op {
	op := Op{Kind: t.kind, Key: t.key, Owner: t.owner, RetainEnd: t.retain}
	if t.kind == OpComplete {
		op.Result = t.result.Data
	}
	if t.kind == OpRelease {
		op.AtMostOnce, op.Ran, op.Error = t.s.g.o.AtMostOnce, t.ran, shorten(t.cause)
	}
	return op
}

// forget releases a claim that stayed undecided, in case it was applied. The
// record's outcome does not wait for it, but the session does.
func (t *Ticket) forget(err error) {
	f := &Ticket{s: t.s, rec: t.rec, key: t.key, owner: t.owner}
	f.to(settled) // it has no outcome of its own
	f.cause = err
	f.prepare(OpRelease, false)
	f.s.g.comb.gather(f.entry())
}

// send hands the ticket's operation to the combiner, detached from the
// batch's context.
func (t *Ticket) send(kind OpKind, late bool) {
	t.prepare(kind, late)
	t.s.g.comb.settle(t.entry())
}

// prepare makes kind the operation that ends t. A late one, of a handler that
// was abandoned, is nobody's to wait for.
func (t *Ticket) prepare(kind OpKind, late bool) {
	t.kind = kind
	now := time.Now()
	t.until, t.retain = now.Add(t.s.g.o.SettleTimeout), MillisOf(now).Add(t.s.g.o.Retention)
	if limit := t.s.o.Limit; !late && !limit.IsZero() && limit.Before(t.until) {
		t.until = limit
	}
	if !late {
		t.tracked = true
		t.s.open.Add(1)
	}
}

func (t *Ticket) entry() entry {
	return entry{ctx: t.s.ctx, op: t.op(), until: t.until, asker: t}
}

// answered is told the verdict. What stayed undecided is tried again: a
// handler that succeeded is never released, and an unrecorded completion
// would run again.
func (t *Ticket) answered(vs []Verdict) {
	v := &vs[0]
	if v.Outcome == Undecided {
		t.tries++
		wait := backoff(settleBackoff, min(t.tries, settleDoubles))
		more := t.kind == OpComplete || t.tries < releaseTries
		if more && time.Until(t.until) > wait {
			time.AfterFunc(wait, func() { t.s.g.comb.settle(t.entry()) })
			return
		}
	}
	if t.kind == OpComplete {
		t.completed(v)
	} else {
		t.released(v)
	}
	if t.tracked {
		t.s.open.Done()
	}
}

// completed reports a record whose handler succeeded. It is done only when
// that is recorded, by this worker or by whoever took over from it.
func (t *Ticket) completed(v *Verdict) {
	var err error
	switch v.Outcome {
	case Applied:
		if t.s.observed() {
			t.s.observe(consumer.Completed{Record: t.rec, Key: string(t.key), Fence: t.fence})
		}
		t.report(nil)
		return
	case Undecided:
		err = &StoreError{Op: OpComplete, Err: v.Err}
	default:
		err = ErrLeaseLost
	}
	if t.s.observed() {
		t.s.observe(consumer.CompletionLost{Record: t.rec, Key: string(t.key), Fence: t.fence, Err: err})
	}
	if v.Row.State == Completed { // what is stored counts, for all who ask
		t.replay(v.Row.Result, v.Row.ResultLost)
		err = nil
	}
	t.report(err)
}

// released reports a record whose handler failed or did not start.
func (t *Ticket) released(v *Verdict) {
	if v.Outcome == Done { // a transaction committed, its answer was lost
		if t.s.observed() {
			t.s.observe(consumer.Completed{Record: t.rec, Key: string(t.key), Fence: t.fence})
		}
		t.report(nil)
		return
	}
	parked := v.Row.State == Parked
	switch {
	case !t.s.observed():
	case parked:
		t.s.observe(consumer.Parked{Record: t.rec, Key: string(t.key)})
	default:
		t.s.observe(consumer.Released{
			Record: t.rec, Key: string(t.key), Fence: t.fence,
			Ran: t.ran, Recorded: v.Outcome == Applied, Err: t.cause,
		})
	}
	err := t.cause
	if parked && !errors.Is(err, ErrParked) {
		err = fmt.Errorf("%w (%w)", err, ErrParked)
	}
	t.report(err)
}

// shorten returns what of err is kept in the row.
func shorten(err error) string {
	s := fmt.Sprint(err) // not err.Error(): a nil pointer in an error panics there
	if len(s) <= maxErrorText {
		return strings.Clone(s)
	}
	cut := maxErrorText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.Clone(s[:cut])
}
