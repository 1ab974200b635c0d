package dedupe

import (
	"context"
	"errors"
	"slices"
	"time"
)

// commitState says what became of a ticket's CompleteWith.
type commitState uint8

const (
	untried commitState = iota // or nothing was written
	trying
	tried // decided, or it never will be
)

// CompleteWith completes the claim of the handler that was given ctx in one
// transaction with the handler's own writes: both hold, or neither. It is for
// stores that have transactions; handlers call a method of such a store, which
// comes here. The claim must be one in s, and can be completed so once.
//
// f carries out op, which is of [OpComplete] and has what [SetResult] was given
// before, in a transaction with the handler's writes, and answers as [Store] does, Undecided when the
// transaction may have been committed or still may be. An error of f says
// that nothing was written, nor will be: it is returned as it is, and the
// claim stands for another try. f retries as long as its ctx, which ends with
// the lease. Until f returns the lease is not extended: nothing of ours
// touches the row beside the transaction.
//
// CompleteWith returns nil when the transaction was committed: the record is
// done then, whatever the handler returns. It returns [ErrNoClaim],
// [ErrSecondCommit] or [ErrLeaseLost] when nothing was written for these
// reasons, and a [*StoreError] when it is not known whether: the handler
// should return that, and the record is done if it was.
func CompleteWith(ctx context.Context, s Store, f func(ctx context.Context, op Op) (Verdict, error)) error {
	t, ok := ctx.Value(claimKey{}).(*Ticket)
	if !ok || t.s.g == nil || t.s.g.comb.store != s {
		return ErrNoClaim
	}
	return t.completeWith(ctx, f)
}

func (t *Ticket) completeWith(ctx context.Context, f func(ctx context.Context, op Op) (Verdict, error)) (err error) {
	if err := t.beginCommit(); err != nil {
		return err
	}
	state, decided := untried, (*Verdict)(nil)
	defer func() { // whatever f does
		if !t.endCommit(state, decided) && err == nil {
			err = ErrNoClaim // the handler returned before, and that was its outcome
		}
	}()
	until, err := t.quiet(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	state = tried
	retain := MillisOf(time.Now()).Add(t.s.g.o.Retention)
	v, err := f(ctx, Op{Kind: OpComplete, Key: t.key, Owner: t.owner, RetainEnd: retain, Result: t.Result().Data})
	switch {
	case err != nil:
		state = untried
		return err
	case v.Outcome == Applied:
		decided = &v
		return nil
	case v.Outcome == Lost:
		decided = &v
		return ErrLeaseLost
	case v.Err == nil:
		v.Err = errors.New("dedupe: store answered a completion with " + v.Outcome.String())
	}
	return &StoreError{Op: OpComplete, Err: v.Err}
}

// beginCommit lets one caller try.
func (t *Ticket) beginCommit() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.is(running):
		return ErrNoClaim
	case t.commit != untried:
		return ErrSecondCommit
	}
	t.commit = trying
	return nil
}

// endCommit notes what became of the try, and reports whether the handler is
// still running. The lease is kept alive again unless the row is not ours any
// more or completed.
func (t *Ticket) endCommit(state commitState, decided *Verdict) bool {
	t.mu.Lock()
	t.commit, t.decided = state, decided
	runs, began := t.is(running), t.leaseEnd.Add(-t.s.g.o.Skew-t.s.g.o.Lease)
	t.mu.Unlock()
	if runs && decided == nil {
		t.s.keepAlive([]*Ticket{t}, began)
	}
	return runs
}

// quiet stops the heartbeat of t and returns until when its lease holds
// without one. Where little is left of it, it is extended first.
func (t *Ticket) quiet(ctx context.Context) (time.Time, error) {
	if beat := t.s.dropLease(t); beat != nil {
		select {
		case <-beat:
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
	g := t.s.g
	end, holds := t.holds()
	if !holds {
		return time.Time{}, ErrLeaseLost
	}
	if now := MillisOf(time.Now()); end.Sub(now) < g.o.Lease/2 && g.lease(now, t.s.o.Deadline) > end {
		bounded, cancel := context.WithDeadline(ctx, end.Add(-g.o.Skew).Time())
		t.s.extend(bounded, []*Ticket{t})
		cancel()
	}
	if end, holds = t.holds(); !holds {
		return time.Time{}, ErrLeaseLost
	}
	return end.Add(-g.o.Skew).Time(), nil
}

// dropLease takes t out of the heartbeat and returns what is closed when the
// extend under way, if any, has ended; nil when there was none.
func (s *Session) dropLease(t *Ticket) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = slices.DeleteFunc(s.leases, func(held *Ticket) bool { return held == t })
	return s.beating
}
