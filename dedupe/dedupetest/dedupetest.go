// Package dedupetest tests implementations of [dedupe.Store]. One call of
// [Run] in a test of the store's package tries every rule of the protocol:
// each operation on each kind of row, races, lost and doubled messages,
// expiry, keys as exact bytes and groups of all sizes. What a store answers is
// compared with what [dedupe.Step] answers, field by field.
package dedupetest

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Harness says how to test a store.
type Harness struct {
	// New returns an empty store. It is called once for each case; what must
	// be closed is closed by a Cleanup of t. Required.
	New func(t *testing.T) dedupe.Store

	// Synctest runs each case in a testing/synctest bubble and adds the cases
	// that need time to stand still: those at the exact millisecond of a
	// bound. It is for stores that run in this process and take the time from
	// time.Now. Defaults to false: cases run in real time, keep hours away
	// from every bound and wait for a few milliseconds at most.
	Synctest bool

	// Skew is how far the store's clock may be from this process's when the
	// case runs in real time. Defaults to 10 seconds.
	Skew time.Duration

	// NoResult says that the store keeps no results: every completion with
	// one may store ResultLost instead. Defaults to false.
	NoResult bool
}

// Run tests the store of h, one subtest for each rule. A failure says which
// rule was broken and by which operation.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.New == nil {
		panic("dedupetest: Run: Harness.New is nil")
	}
	for _, c := range cases() {
		if c.synctest && !h.Synctest {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(t, h); err != nil {
				t.Errorf("%v\nthe rule: %s", err, c.rule)
			}
		})
	}
}

// testCase is one rule and a schedule that breaks on stores that do not keep
// it.
type testCase struct {
	name     string
	rule     string
	synctest bool // needs exact time
	run      func(*subject)
}

func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		claimCases(), ownerCases(), leaseCases(), expiryCases(), fenceCases(), onceCases(), messageCases(),
		raceCases(), groupCases(), dataCases(), randomCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// check runs the case on a fresh store and returns what broke its rule.
func (c testCase) check(t *testing.T, h Harness) (err error) {
	if !h.Synctest {
		return c.try(t, h)
	}
	synctest.Test(t, func(t *testing.T) { err = c.try(t, h) })
	return err
}

func (c testCase) try(t *testing.T, h Harness) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = f
		}
	}()
	s := &subject{ctx: t.Context(), store: h.New(t), h: h, rows: make(map[dedupe.Key]dedupe.Row)}
	if s.h.Skew == 0 {
		s.h.Skew = 10 * time.Second
	}
	c.run(s)
	return nil
}

// failure ends a case: it is thrown by the subject and caught above, so that
// a case reads as the schedule that it is.
type failure struct{ text string }

func (f failure) Error() string { return f.text }

func failf(format string, args ...any) {
	panic(failure{fmt.Sprintf(format, args...)})
}

// pause lets the store's clock reach another millisecond.
func (s *subject) pause() {
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
}
