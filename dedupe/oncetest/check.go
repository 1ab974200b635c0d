package oncetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// errOnPurpose is what a run fails with.
var errOnPurpose = errors.New("oncetest: this run fails on purpose")

var errPanicked = errors.New("it panicked")

// check is one call of [Check].
type check struct {
	h    Harness
	ctx  context.Context //nolint:containedctx // a check lives as long as the test whose context this is
	n    int             // deliveries
	key  dedupe.Key      // of the work, once it has run
	runs []run           // of the last delivery
}

// run is one call of the handler.
type run struct {
	claim   dedupe.Claim
	guarded bool
	err     error // the handler's own
}

// end is how a run ends.
type end uint8

const (
	normally  end = iota
	atOnce        // it fails before the handler
	afterward     // it fails after the handler
)

// run goes through all deliveries, to the first that is not as it should be.
func (c *check) run() error {
	if !c.h.AtMostOnce {
		if err := c.fails(atOnce); err != nil {
			return err
		}
	}
	before := c.effects()
	if c.h.Effects != nil {
		if err := c.fails(afterward); err != nil {
			return err
		}
	}
	done, err := c.succeeds()
	if err != nil {
		return err
	}
	for range 2 {
		c.pause()
		if err := c.skips(done); err != nil {
			return err
		}
	}
	if got := c.effects() - before; c.h.Effects != nil && got != 1 {
		return fmt.Errorf("%d effects, want 1: one run took effect and was not recorded, as when a worker dies, and the next repeated it; "+
			"pass the claim's key on as the next system's idempotency key (dedupe.FromContext), or write in the transaction that completes the record", got)
	}
	return nil
}

func (c *check) effects() int {
	if c.h.Effects == nil {
		return 0
	}
	return c.h.Effects()
}

// fails delivers the work, whose run ends with a failure: it must be reported
// and leave the work to the next delivery.
func (c *check) fails(how end) error {
	err := c.deliver(how)
	if ran := c.ranOnce(err); ran != nil {
		return ran
	}
	row, unread := c.row()
	switch {
	case unread != nil:
		return unread
	case row.State == dedupe.Parked:
		return c.errorf("the run that failed is parked: for a guard with AtMostOnce set Harness.AtMostOnce")
	case row.State == dedupe.Completed && how == afterward && err == nil: // in the handler's own transaction
		return nil
	case row.State == dedupe.Completed:
		return c.errorf("the run failed and is recorded as completed: it would never run again")
	case err == nil:
		return c.errorf("the run failed and was acknowledged: it would never come again; Deliver must return the failure")
	}
	return nil
}

// succeeds delivers the work, which must be done after that.
func (c *check) succeeds() (dedupe.Row, error) {
	if c.key != "" {
		if done, err := c.row(); err == nil && done.State == dedupe.Completed {
			return done, nil // in the handler's own transaction
		}
	}
	err := c.deliver(normally)
	if ran := c.ranOnce(err); ran != nil {
		return dedupe.Row{}, ran
	}
	if failed := c.runs[0].err; failed != nil {
		return dedupe.Row{}, c.errorf("the handler failed: %w", failed)
	}
	if err != nil {
		return dedupe.Row{}, c.errorf("the handler succeeded and the delivery failed: %w", err)
	}
	row, err := c.row()
	if err == nil && (row.State != dedupe.Completed || row.Completed == 0) {
		err = c.errorf("the handler succeeded and its record is %v, want COMPLETED", row.State)
	}
	return row, err
}

// skips delivers finished work, to which nothing may happen.
func (c *check) skips(done dedupe.Row) error {
	switch err := c.deliver(normally); {
	case len(c.runs) > 0:
		if other := c.otherKey(); other != nil {
			return other
		}
		return c.errorf("the work was finished and ran again: has the store, or the retention, forgotten it?")
	case err != nil:
		return c.errorf("the work was finished and its delivery failed: %w", err)
	}
	row, err := c.row()
	if err != nil {
		return err
	}
	if changed := difference(done, row); changed != "" {
		return c.errorf("the record of finished work changed: %s", changed)
	}
	return nil
}

// deliver delivers the work once more.
func (c *check) deliver(how end) error {
	c.n++
	var mu sync.Mutex
	var runs []run
	err := c.h.Deliver(c.ctx, consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		var r run
		defer func() { // after a panic too
			mu.Lock()
			defer mu.Unlock()
			runs = append(runs, r)
		}()
		r.claim, r.guarded = dedupe.FromContext(ctx)
		if how == atOnce {
			return errOnPurpose
		}
		r.err = errPanicked
		r.err = c.h.Handler.HandleRecord(ctx, rec)
		if how == afterward {
			return errOnPurpose
		}
		return r.err
	}), c.n)
	mu.Lock()
	defer mu.Unlock()
	c.runs = slices.Clone(runs) // a handler that was abandoned may still run
	return err
}

// ranOnce returns what is wrong with the runs of a delivery that should have
// had one, and that ended with err.
func (c *check) ranOnce(err error) error {
	if len(c.runs) == 0 && err == nil {
		return c.errorf("acknowledged without a run: is the work new to the store, and is h called?")
	}
	if len(c.runs) == 0 {
		return c.errorf("did not reach the handler: %w", err)
	}
	if !c.runs[0].guarded {
		return c.errorf("the handler ran without a guard")
	}
	if other := c.otherKey(); other != nil {
		return other
	}
	if len(c.runs) > 1 {
		return c.errorf("the handler ran %d times in one delivery", len(c.runs))
	}
	c.key = dedupe.Key(c.runs[0].claim.Key)
	return nil
}

// otherKey returns an error when a run had another key than those before.
func (c *check) otherKey() error {
	for i, r := range c.runs {
		was := c.key
		if i > 0 && was == "" {
			was = dedupe.Key(c.runs[0].claim.Key)
		}
		if got := dedupe.Key(r.claim.Key); was != "" && got != was {
			return c.errorf("the same work has another key, %q after %q: take the key from what all its deliveries have", got, was)
		}
	}
	return nil
}

// row reads the record of the work. An extend by an owner that never had it
// changes nothing, and is answered with the row.
func (c *check) row() (dedupe.Row, error) {
	op := dedupe.Op{Kind: dedupe.OpExtend, Key: c.key, LeaseEnd: 1, RetainEnd: 1}
	_, _ = rand.Read(op.Owner[:]) // never fails
	verdicts, err := c.h.Store.Apply(c.ctx, []dedupe.Op{op})
	if err == nil && len(verdicts) == 1 {
		err = verdicts[0].Err
	}
	switch {
	case err != nil:
		return dedupe.Row{}, c.errorf("read the record of key %q: %w", c.key, err)
	case len(verdicts) != 1 || !verdicts[0].Row.Exists():
		return dedupe.Row{}, c.errorf("Store has no record of key %q: is it the guard's?", c.key)
	}
	return verdicts[0].Row, nil
}

// pause lets the clock reach another millisecond, so that a second completion
// shows.
func (c *check) pause() {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
}

func (c *check) errorf(format string, args ...any) error {
	return fmt.Errorf("delivery %d: "+format, append([]any{c.n}, args...)...)
}

// difference tells which fields of two rows differ.
func difference(was, is dedupe.Row) string {
	var fields []string
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			fields = append(fields, fmt.Sprintf("%s from %v to %v", a.Type().Field(i).Name, x, y))
		}
	}
	return strings.Join(fields, ", ")
}
