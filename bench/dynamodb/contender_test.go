package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// rig is a contender on a server in process.
type rig struct {
	*testing.T
	contender
	db   *ddbtest.Server
	runs atomic.Int64
	err  error // of the handler
}

func newRig(t *testing.T, name string) *rig {
	r := &rig{T: t, db: ddbtest.New(ddbtest.Options{})}
	if err := dynamodedupe.CreateTable(t.Context(), r.db.Client(), table); err != nil {
		t.Fatal(err)
	}
	r.db.Reset()
	r.contender = newContender(name, r.db.Client(), consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
		r.runs.Add(1)
		return r.err
	}))
	return r
}

// Every contender runs the handler of each fresh record once and of no
// duplicate, and leaves all rows completed.
func TestContenders(t *testing.T) {
	for _, name := range contenderNames() {
		for _, kind := range caseNames() {
			for _, batch := range []int{10, 100} {
				t.Run(fmt.Sprint(name, "/", kind, "/", batch), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, name)
						w := (&measurement{}).newWork(kind, batch)
						fresh := map[string]int{caseFresh: 3 * batch, caseDuplicate: batch, caseMixed: 2 * batch}[kind]
						for range 3 {
							if err := r.process(t.Context(), w.next()); err != nil {
								t.Fatal(err)
							}
						}
						if runs, done := int(r.runs.Load()), completed(r.db); runs != fresh || done != fresh {
							t.Errorf("three batches: %d runs and %d completed rows, want %d of both", runs, done, fresh)
						}
						if err := w.check(r.runs.Load(), completed(r.db)); err != nil {
							t.Errorf("check: %v", err)
						}
					})
				})
			}
		}
	}
}

// No contender completes what its handler did not do.
func TestContendersFailure(t *testing.T) {
	for _, name := range contenderNames() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, name)
				r.err = errors.New("it failed")
				if err := r.process(t.Context(), (&measurement{}).newWork(caseFresh, 10).next()); !errors.Is(err, r.err) {
					t.Errorf("error %v, want the handler's", err)
				}
				if n := completed(r.db); n != 0 {
					t.Errorf("%d rows are completed, want none", n)
				}
			})
		})
	}
}

// A lost answer, which the SDK tries again, leads to no failure and no second
// run: a busy machine must not end a long measurement.
func TestContendersLostAnswers(t *testing.T) {
	for _, name := range contenderNames() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, name)
				r.db.Fault(func(req ddbtest.Request) ddbtest.Action { return ddbtest.Action{DropResponse: req.Attempt == 1} })
				if err := r.process(t.Context(), (&measurement{}).newWork(caseFresh, 10).next()); err != nil {
					t.Fatal(err)
				}
				if runs, done := r.runs.Load(), completed(r.db); runs != 10 || done != 10 {
					t.Errorf("%d runs and %d completed rows, want 10 of both", runs, done)
				}
			})
		})
	}
}

// The bare loop makes the requests that onlyonce makes for a batch of ten,
// statement by statement, and those by hand two for a fresh record and one for
// a duplicate.
func TestSameRequests(t *testing.T) {
	for _, kind := range caseNames() {
		requests := map[string][]string{}
		for _, name := range contenderNames() {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, name)
				r.db.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: 5 * time.Millisecond} })
				w := (&measurement{}).newWork(kind, 10)
				for range 2 {
					r.db.Reset()
					if err := r.process(t.Context(), w.next()); err != nil {
						t.Fatal(err)
					}
				}
				for _, req := range r.db.Requests() {
					requests[name] = append(requests[name], fmt.Sprint(req.Op, len(req.Keys), slices.Compact(req.Statements)))
				}
			})
		}
		if got, want := requests[nameBare], requests[nameOnlyonce]; !slices.Equal(got, want) {
			t.Errorf("%s: the bare loop sent\n%s\nwant those of onlyonce\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		want := map[string]int{caseFresh: 20, caseDuplicate: 10, caseMixed: 15}[kind]
		for _, name := range []string{nameHand, nameHandOfTen} {
			if got := len(requests[name]); got != want {
				t.Errorf("%s: %s sent %d requests, want %d", kind, name, got, want)
			}
		}
	}
}

// A contender that leaves work out is not measured.
func TestCheck(t *testing.T) {
	w := (&measurement{}).newWork(caseMixed, 10)
	w.next()
	w.next()
	for _, c := range []struct {
		runs      int64
		completed int
		ok        bool
	}{{15, 15, true}, {14, 15, false}, {20, 15, false}, {15, 14, false}, {0, 0, false}} {
		if err := w.check(c.runs, c.completed); (err == nil) != c.ok {
			t.Errorf("%d runs, %d completed: %v, want ok %t", c.runs, c.completed, err, c.ok)
		}
	}
}
