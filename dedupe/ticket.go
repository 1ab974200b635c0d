package dedupe

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// ticketState says where a ticket stands. It only moves forward, but for a
// follower that gets a try of its own.
type ticketState uint32

const (
	fresh     ticketState = iota
	following             // waits for its twin in this process
	refused               // its twin cannot be waited for
	ready                 // claimed: the handler may start
	running               // the handler runs
	settling              // an operation is on its way to the store
	settled               // the outcome has been reported
)

// Ticket is one record's way through a [Guard]. After [Session.Admit]
// returned it Ready, either call Handle and then Settle with Handle's error,
// or Skip. Its methods may be called from any goroutine.
type Ticket struct {
	s      *Session
	rec    *consumer.Record
	number int

	// Fixed once claimed.
	key         Key
	fingerprint string
	owner       Owner
	fence       int64
	claims      int32
	failures    int32

	state atomic.Uint32 // a ticketState; written under mu once others know the ticket

	mu        sync.Mutex
	ran       bool // the handler was called
	abandoned bool // reported as failed while the handler runs
	lost      bool // the lease is known to be lost
	leaseEnd  Millis
	commit    commitState
	decided   *Verdict // by CompleteWith
	result    Result

	ctx handlerContext

	settlement // on its way to the store

	followers []*Ticket // guarded by Guard.mu until landed
	landed    bool      // nobody can follow any more
	twinLease Millis    // of the twin that refused to be followed
	twinOther bool      // that twin has another payload
}

// Record returns the ticket's record.
func (t *Ticket) Record() *consumer.Record { return t.rec }

// Number returns the ticket's place in the batch, as counted by Admit.
func (t *Ticket) Number() int { return t.number }

// Ready reports whether the record may be handled.
func (t *Ticket) Ready() bool { return t.is(ready) }

// Ran reports whether the handler was called.
func (t *Ticket) Ran() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ran
}

func (t *Ticket) is(state ticketState) bool { return t.at() == state }

func (t *Ticket) at() ticketState { return ticketState(t.state.Load()) }

func (t *Ticket) to(state ticketState) { t.state.Store(uint32(state)) }

// identify makes the key and the fingerprint, once and for all. They are the
// user's functions: a panic in them fails this record alone.
func (t *Ticket) identify(w *KeyWriter) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &consumer.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	keys := &t.s.g.keys
	if t.s.o.Key != nil {
		own := newKeyer(t.s.g.o.Consumer, t.s.o.Key)
		keys = &own
	}
	key, err := keys.key(w, t.rec)
	if err != nil {
		return err
	}
	t.key = key
	f := t.s.o.Fingerprint
	if f == nil {
		f = t.s.g.o.Fingerprint
	}
	if f != nil {
		fingerprint, err := f(t.rec)
		if err != nil {
			return err
		}
		t.fingerprint = strings.Clone(fingerprint) // it may be a piece of the body, and outlives it
	}
	return nil
}

func (t *Ticket) claimOp(now Millis) Op {
	return Op{
		Kind: OpClaim, Key: t.key, Owner: t.owner,
		LeaseEnd: t.leaseEnd, RetainEnd: now.Add(t.s.g.o.Retention),
		AtMostOnce: t.s.g.o.AtMostOnce, Fingerprint: t.fingerprint,
	}
}

// claimed acts on the verdict of the claim, and reports whether it was won.
func (t *Ticket) claimed(v *Verdict) bool {
	switch v.Outcome {
	case Won:
		t.fence, t.claims, t.failures = v.Row.Fence, v.Row.Claims, v.Row.Failures
		t.mu.Lock()
		t.to(ready)
		t.leaseEnd = max(t.leaseEnd, v.Row.LeaseEnd)
		t.mu.Unlock()
		if t.s.observed() {
			t.s.observe(consumer.Claimed{
				Record: t.rec, Key: string(t.key), Fence: t.fence,
				Claims: int(t.claims), Failures: int(t.failures), TookOver: v.Prior == Processing && t.claims > 1, // not from itself
			})
		}
		return true
	case Done:
		t.replay(v.Row.Result, v.Row.ResultLost)
		t.done(v.Row.Fingerprint, v.Row.Completed, false)
	case Busy:
		if t.differs(v.Row.Fingerprint) {
			t.reject(&MismatchError{Key: t.key})
			break
		}
		t.busy(v.Row.LeaseEnd)
	case Stuck:
		if t.s.observed() {
			t.s.observe(consumer.Parked{Record: t.rec, Key: string(t.key)})
		}
		t.report(ErrParked)
	default:
		err := v.Err
		if err == nil {
			err = errors.New("dedupe: store answered a claim with " + v.Outcome.String())
		}
		t.forget(err)
		t.reject(&StoreError{Op: OpClaim, Err: err})
	}
	return false
}

// done reports a record that was finished before.
func (t *Ticket) done(fingerprint string, at Millis, inProcess bool) {
	if t.differs(fingerprint) {
		t.reject(&MismatchError{Key: t.key})
		return
	}
	if t.s.observed() {
		t.s.observe(consumer.Duplicate{
			Record: t.rec, Key: string(t.key), CompletedAt: at.Time(), InProcess: inProcess,
		})
	}
	t.report(nil)
}

// differs reports whether the row's work had another payload. A row without a
// fingerprint was made before one was asked for, and says nothing.
func (t *Ticket) differs(fingerprint string) bool {
	return t.fingerprint != "" && fingerprint != "" && fingerprint != t.fingerprint
}

// busy reports a record that is in progress elsewhere.
func (t *Ticket) busy(leaseEnd Millis) {
	if leaseEnd == 0 { // its claim is still on the way
		leaseEnd = MillisOf(time.Now()).Add(t.s.g.o.Lease)
	}
	if t.s.observed() {
		t.s.observe(consumer.InProgress{Record: t.rec, Key: string(t.key), Until: leaseEnd.Time()})
	}
	t.report(consumer.RetryAfter(time.Until(leaseEnd.Time()), ErrInProgress))
}

// reject reports a record that could not be admitted.
func (t *Ticket) reject(err error) {
	if t.s.observed() {
		t.s.observe(consumer.Rejected{Record: t.rec, Key: string(t.key), Err: err})
	}
	t.report(err)
}

// Handle runs h for the record, under the session's context with the claim
// in it, and returns what h returned. A panic comes back as a
// [consumer.PanicError]. Call Settle next, whatever it returns.
func (t *Ticket) Handle(h consumer.Handler) (err error) {
	if err := t.start(); err != nil {
		return err
	}
	returned := false
	defer func() {
		if v := recover(); v != nil {
			err = &consumer.PanicError{Value: v, Stack: debug.Stack()}
		} else if !returned {
			err = consumer.ErrGoexit
			defer t.Settle(err) // the goroutine ends without going back to the caller
		}
		t.ctx.end(nil)
	}()
	err = h.HandleRecord(&t.ctx, t.rec)
	returned = true
	return err
}

// start makes sure that the handler may start: its batch goes on, and its
// lease has the margin left.
func (t *Ticket) start() error {
	if t.s.ctx.Err() != nil {
		return context.Cause(t.s.ctx)
	}
	t.mu.Lock()
	if t.s.g != nil && t.leaseEnd.Sub(MillisOf(time.Now())) <= t.s.g.o.Skew {
		t.mu.Unlock()
		t.s.extend(t.s.ctx, []*Ticket{t})
		t.mu.Lock()
	}
	defer t.mu.Unlock()
	switch {
	case t.s.ctx.Err() != nil: // once more, with t.mu held: Abandon finds all that run
		return context.Cause(t.s.ctx)
	case t.lost, t.s.g != nil && t.leaseEnd.Sub(MillisOf(time.Now())) <= t.s.g.o.Skew: // the extend was as slow
		return ErrLeaseLost
	case t.at() != ready:
		return errGivenUp
	}
	t.to(running)
	t.ran = true
	t.ctx.parent, t.ctx.ticket = t.s.ctx, t
	return nil
}

// errGivenUp is for the one who handles a ticket that was skipped; nobody
// sees it, since the ticket has its outcome.
var errGivenUp = errors.New("dedupe: the record was given up")

// report ends the ticket: its outcome is told, and its twins are.
func (t *Ticket) report(err error) {
	t.mu.Lock()
	if t.at() == settled {
		t.mu.Unlock()
		return
	}
	t.to(settled)
	told := t.abandoned
	t.mu.Unlock()
	if t.s.g != nil {
		t.land(err)
	}
	if !told {
		t.s.o.Settled(t, err)
	}
}
