package dynamodedupe_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// writes tells whether a request writes.
func writes(req ddbtest.Request) bool {
	return req.Op == "PutItem" || req.Op == "BatchExecuteStatement"
}

// An operation whose answer was lost is answered by the retry as if it had
// not been: claims are won once, completions applied once.
func TestLostAnswers(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{DropResponse: writes(req) && req.Attempt == 1}
		})
		for _, n := range []int{1, 10} {
			ops := claims(byte(n), n)
			for i := range ops {
				ops[i].Key += dedupe.Key(strings.Repeat("x", n))
			}
			for _, v := range r.want(r.store, ops, dedupe.Won) {
				if v.Row.Claims != 1 {
					r.Errorf("a claim whose answer was lost counts %d times", v.Row.Claims)
				}
			}
			r.want(r.store, ended(dedupe.OpExtend, ops), dedupe.Applied)
			for _, v := range r.want(r.store, ended(dedupe.OpComplete, ops), dedupe.Applied) {
				if v.Row.State != dedupe.Completed {
					r.Errorf("state %v after a completion whose answer was lost", v.Row.State)
				}
			}
		}
	})
}

// A release whose answer was lost counts one failure, and a takeover whose
// answer was lost is one takeover.
func TestLostAnswersOfReleaseAndTakeover(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		ops := claims(1, 5)
		r.want(r.store, ops, dedupe.Won)
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{DropResponse: writes(req) && req.Attempt == 1}
		})
		for _, v := range r.want(r.store, ended(dedupe.OpRelease, ops), dedupe.Applied) {
			if v.Row.Failures != 1 {
				r.Errorf("%d failures after one release, want 1", v.Row.Failures)
			}
		}
		for _, v := range r.want(r.other(), claims(2, 5), dedupe.Won) {
			if v.Row.Claims != 2 || v.Row.Failures != 1 {
				r.Errorf("%d claims and %d failures after the second claim, want 2 and 1", v.Row.Claims, v.Row.Failures)
			}
		}
	})
}

// A throttled statement is sent again alone, and fails alone when that does
// not help: the others of its group are decided.
func TestThrottledStatement(t *testing.T) {
	for _, code := range []string{"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded", "InternalServerError", "TransactionConflict"} {
		bubble(t, ddbtest.Options{}, func(r rig) {
			left := 2 // statements or tries of the SDK that fail
			r.Fault(func(req ddbtest.Request) ddbtest.Action {
				i := slices.Index(req.Keys, "key-3")
				if i < 0 || left == 0 || !writes(req) {
					return ddbtest.Action{}
				}
				left--
				if req.Op == "PutItem" {
					return ddbtest.Action{Err: &ddbtest.Error{Code: "ThrottlingException"}}
				}
				return ddbtest.Action{FailStatements: map[int]*ddbtest.Error{i: {Code: code}}}
			})
			r.want(r.store, claims(1, 10), dedupe.Won)
			for _, req := range r.Requests()[1:] {
				if len(req.Keys) > 1 {
					r.Errorf("a retry has %d keys, want the throttled one alone", len(req.Keys))
				}
			}
		})
		bubble(t, ddbtest.Options{}, func(r rig) {
			r.Fault(func(req ddbtest.Request) ddbtest.Action {
				i := slices.Index(req.Keys, "key-3")
				switch {
				case i < 0 || !writes(req):
					return ddbtest.Action{}
				case req.Op == "PutItem":
					return ddbtest.Action{Err: &ddbtest.Error{Code: "ProvisionedThroughputExceededException"}}
				}
				return ddbtest.Action{FailStatements: map[int]*ddbtest.Error{i: {Code: code}}}
			})
			start := time.Now()
			for i, v := range r.apply(r.store, claims(1, 10)...) {
				if want := i != 3; (v.Outcome == dedupe.Won) != want || (v.Err == nil) != want {
					r.Errorf("key-%d: %v, %v, want won: %v", i, v.Outcome, v.Err, want)
				}
			}
			if took := time.Since(start); took > 3*time.Second {
				r.Errorf("the group waited %v for one throttled key", took)
			}
		})
	}
}

// Statements that DynamoDB denies are told so, by name, and nothing else is
// tried; one that it does not understand is written as a PutItem.
func TestRefusedStatement(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		if strings.Contains(r.Name(), "single") {
			return
		}
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{FailStatements: map[int]*ddbtest.Error{
				0: {Code: "AccessDenied", Message: "not authorized to perform: dynamodb:PartiQLInsert"},
				1: {Code: "ValidationError"},
				2: {Code: "SomethingNew"},
			}}
		})
		vs := r.apply(r.store, claims(1, 4)...)
		if !errors.Is(vs[0].Err, dynamodedupe.ErrDenied) || !strings.Contains(vs[0].Err.Error(), "PartiQLInsert") {
			r.Errorf("a denied statement: %v, want ErrDenied and the action", vs[0].Err)
		}
		if vs[1].Outcome != dedupe.Won || r.count("PutItem") != 1 {
			r.Errorf("a statement not understood: %v, %v after %d PutItem, want won after one", vs[1].Outcome, vs[1].Err, r.count("PutItem"))
		}
		if vs[2].Outcome != dedupe.Undecided || vs[2].Err == nil || vs[3].Outcome != dedupe.Won {
			r.Errorf("an unknown error: %v (%v), and beside it %v", vs[2].Outcome, vs[2].Err, vs[3].Outcome)
		}
	})
}

// A store that is down decides nothing and says so in one error.
func TestDown(t *testing.T) {
	for name, action := range map[string]ddbtest.Action{
		"500":       {Err: &ddbtest.Error{Code: "InternalServerError"}},
		"dropped":   {DropRequest: true},
		"throttled": {Err: &ddbtest.Error{Code: "ThrottlingException"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, ddbtest.Options{}, func(r rig) {
				r.Fault(func(ddbtest.Request) ddbtest.Action { return action })
				if vs, err := r.store.Apply(r.Context(), claims(1, 30)); err == nil {
					r.Errorf("verdicts %v and no error", vs)
				}
				if n := len(r.Items(table)); n != 0 {
					r.Errorf("%d items", n)
				}
			})
		})
	}
}

// One request of several that fails leaves its own operations undecided.
func TestPartlyDown(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{DropRequest: slices.Contains(req.Keys, "key-0")}
		})
		won := 0
		for _, v := range r.apply(r.store, claims(1, 100)...) {
			switch {
			case v.Outcome == dedupe.Won:
				won++
			case v.Outcome != dedupe.Undecided || v.Err == nil:
				r.Errorf("%v, %v, want won or undecided with an error", v.Outcome, v.Err)
			}
		}
		if won < 75 || won == 100 {
			r.Errorf("%d of 100 won, want those of the other requests", won)
		}
	})
}

// Keys that a read leaves unprocessed are read again, and are never taken for
// absent.
func TestUnprocessedKeys(t *testing.T) {
	bubble(t, ddbtest.Options{NoOldItem: true}, func(r rig) {
		ops := claims(1, 10)
		r.want(r.store, ops, dedupe.Won)
		for _, some := range []map[int]bool{{0: true}, {0: true, 1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true}} {
			left := 2
			r.Fault(func(req ddbtest.Request) ddbtest.Action {
				if req.Op != "BatchGetItem" || left == 0 {
					return ddbtest.Action{}
				}
				left--
				return ddbtest.Action{Unprocessed: some}
			})
			r.want(r.other(), claims(2, 10), dedupe.Busy)
			r.want(r.other(), ended(dedupe.OpExtend, ops), dedupe.Applied)
		}
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			return ddbtest.Action{Unprocessed: map[int]bool{0: true}}
		})
		vs := r.apply(r.other(), ended(dedupe.OpComplete, ops)...)
		undecided := 0
		for _, v := range vs {
			if v.Outcome == dedupe.Undecided {
				undecided++
			} else if v.Outcome != dedupe.Applied {
				r.Errorf("%v, want applied or undecided", v.Outcome)
			}
		}
		if undecided != 1 {
			r.Errorf("%d undecided, want the one key that is never read", undecided)
		}
	})
}

// A row that vanishes between the refused insert and the read is inserted
// once more.
func TestVanishedRow(t *testing.T) {
	bubble(t, ddbtest.Options{NoOldItem: true}, func(r rig) {
		if strings.Contains(r.Name(), "single") {
			return // a PutItem has its answer at once
		}
		expired := claims(1, 2)
		for i := range expired {
			expired[i].LeaseEnd, expired[i].RetainEnd = 1, 1
		}
		r.want(r.store, expired, dedupe.Won)
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			if req.Op == "BatchGetItem" {
				r.Collect(table)
			}
			return ddbtest.Action{}
		})
		r.want(r.other(), claims(2, 2), dedupe.Won)
	})
}

// A row that changes each time between read and write does not keep Apply for
// ever.
func TestContended(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		ops := claims(1, 2)
		r.want(r.store, ops, dedupe.Won)
		end := ops[0].LeaseEnd
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			if writes(req) {
				for _, item := range r.Items(table) { // the lease moves on
					end++
					n := strconv.FormatInt(int64(end), 10)
					item["lease_end"] = ddbtest.Value{N: &n}
					r.Put(table, item)
				}
			}
			return ddbtest.Action{}
		})
		for _, v := range r.apply(r.store, ended(dedupe.OpComplete, ops)...) {
			if !errors.Is(v.Err, dynamodedupe.ErrContended) {
				r.Errorf("%v, %v, want undecided with ErrContended", v.Outcome, v.Err)
			}
		}
	})
}
