package dynamodedupe_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// everyStatement drives a store through every kind of write it has, in groups.
func everyStatement(t *testing.T, s, other dedupe.Store) {
	t.Helper()
	want := func(s dedupe.Store, ops []dedupe.Op, want dedupe.Outcome) {
		t.Helper()
		verdicts, err := s.Apply(t.Context(), ops)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range verdicts {
			if v.Outcome != want {
				t.Errorf("%v of key %q: %v (%v), want %v", ops[i].Kind, ops[i].Key, v.Outcome, v.Err, want)
			}
		}
	}
	first := claims(1, 3)
	want(s, first, dedupe.Won)
	want(s, ended(dedupe.OpExtend, first), dedupe.Applied)
	want(s, ended(dedupe.OpRelease, first), dedupe.Applied)
	again := claims(2, 3)
	want(other, again, dedupe.Won)
	done := ended(dedupe.OpComplete, again)
	for i := range done {
		done[i].Result = []byte("result")
	}
	want(other, done, dedupe.Applied) // takes the last error away
	want(s, claims(3, 3), dedupe.Done)

	once := claims(4, 3)
	for i := range once {
		once[i].Key += "-once"
		once[i].AtMostOnce, once[i].Fingerprint = true, "f"
	}
	want(s, once, dedupe.Won)
	want(s, ended(dedupe.OpRelease, once), dedupe.Applied) // parks, and takes the ttl away
	want(other, ended(dedupe.OpComplete, once), dedupe.Applied)

	expired := claims(5, 3)
	for i := range expired {
		expired[i].Key += "-expired"
		expired[i].LeaseEnd, expired[i].RetainEnd = 1, 1
	}
	want(s, expired, dedupe.Won)
	done = ended(dedupe.OpComplete, expired)
	for i := range done {
		done[i].Result = []byte("result")
	}
	want(s, done, dedupe.Applied)
	again = claims(6, 3)
	for i := range again {
		again[i].Key = expired[i].Key
	}
	want(other, again, dedupe.Won) // takes result and completion away
}

// DynamoDB understands every statement that the store makes: no group is
// written by PutItem instead. With single items nothing is a statement.
func TestModes(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		everyStatement(r.T, r.store, dynamodedupe.New(r.Client(), table, dynamodedupe.Options{SingleItem: strings.Contains(r.Name(), "single")}))
		puts, batches := r.count("PutItem"), r.count("BatchExecuteStatement")
		if strings.Contains(r.Name(), "single") {
			if batches != 0 || puts == 0 {
				r.Errorf("%d PutItem and %d BatchExecuteStatement, want none of the latter", puts, batches)
			}
		} else if puts != 0 || batches == 0 {
			r.Errorf("%d PutItem and %d BatchExecuteStatement, want none of the former", puts, batches)
		}
	})
}

// Items are in the table as the package documents them: a version, and a time
// to live in seconds that is never early and that parked rows do not have.
func TestItems(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		op := claims(1, 1)
		op[0].RetainEnd = op[0].RetainEnd/1000*1000 + 1 // rounded up
		r.want(r.store, op, dedupe.Won)
		item := r.Items(table)["key-0"]
		if got, want := *item["ttl"].N, int64(op[0].RetainEnd)/1000+1; got != strconv.FormatInt(want, 10) {
			r.Errorf("ttl = %s, want %d", got, want)
		}
		if *item["v"].N != "1" || *item["state"].S != "PROCESSING" || *item["owner"].S != op[0].Owner.String() {
			r.Errorf("item %+v: want version 1, PROCESSING and the owner", item)
		}
		op[0].AtMostOnce = true
		r.want(r.store, ended(dedupe.OpRelease, op), dedupe.Applied)
		item = r.Items(table)["key-0"]
		if _, has := item["ttl"]; has || *item["state"].S != "PARKED" {
			r.Errorf("parked item %+v: want PARKED and no ttl", item)
		}
	})
}

// An item that cannot be read is an error of its key, stays as it is, and
// stops no other key.
func TestUnreadableItem(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		two := "2"
		key := "key-0"
		r.Put(table, ddbtest.Item{"pk": {S: &key}, "v": {N: &two}})
		for _, kind := range []dedupe.OpKind{dedupe.OpClaim, dedupe.OpComplete} {
			ops := ended(kind, claims(1, 2))
			vs := r.apply(r.store, ops...)
			if v := vs[0]; v.Outcome != dedupe.Undecided || !errors.Is(v.Err, dynamodedupe.ErrRow) {
				r.Errorf("%v: %v, %v, want undecided with ErrRow", kind, v.Outcome, v.Err)
			}
			if vs[1].Outcome == dedupe.Undecided {
				r.Errorf("%v of another key: undecided: %v", kind, vs[1].Err)
			}
		}
		if len(r.Items(table)[key]) != 2 {
			r.Errorf("the item was changed: %+v", r.Items(table)[key])
		}
	})
}

// Keys that DynamoDB cannot have are typed errors of their own, and no
// request is made for them.
func TestKeys(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		for _, key := range []dedupe.Key{"", "\xff", dedupe.Key(strings.Repeat("k", 2049))} {
			ops := claims(1, 1)
			ops[0].Key = key
			if v := r.apply(r.store, ops...)[0]; v.Outcome != dedupe.Undecided || !errors.Is(v.Err, dynamodedupe.ErrKey) {
				r.Errorf("key of %d bytes: %v, %v, want undecided with ErrKey", len(key), v.Outcome, v.Err)
			}
		}
		if n := len(r.Requests()); n != 0 {
			r.Errorf("%d requests, want none", n)
		}
		ops := claims(1, 1)
		ops[0].Key = dedupe.Key(strings.Repeat("k", 2048))
		r.want(r.store, ops, dedupe.Won)
	})
}

// A result above the limit is lost, and only the result; the largest that is
// allowed fits into an item beside the longest key.
func TestMaxResult(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		s := dynamodedupe.New(r.Client(), table, dynamodedupe.Options{MaxResult: 390 << 10})
		ops := claims(1, 2)
		ops[0].Key = dedupe.Key(strings.Repeat("k", 2048))
		r.want(s, ops, dedupe.Won)
		done := ended(dedupe.OpComplete, ops)
		done[0].Result = make([]byte, 390<<10)
		done[1].Result = make([]byte, 390<<10+1)
		r.want(s, done, dedupe.Applied)
		vs := r.want(r.other(), claims(2, 2)[1:], dedupe.Done)
		if row := vs[0].Row; row.Result != nil || !row.ResultLost {
			r.Errorf("a result too large came back with %d bytes, lost: %v", len(row.Result), row.ResultLost)
		}
		if done[1].ResultLost || done[1].Result == nil {
			r.Error("Apply changed its caller's operation")
		}
	})
}

// Large results do not make a request larger than what DynamoDB takes, and
// all of them come back.
func TestLargeResults(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		ops := claims(1, 25)
		r.want(r.store, ops, dedupe.Won)
		done := ended(dedupe.OpComplete, ops)
		for i := range done {
			done[i].Result = make([]byte, 350<<10)
		}
		r.want(r.store, done, dedupe.Applied)
		for _, req := range r.Requests() {
			if len(req.Input) > 5<<20 {
				r.Errorf("a request of %d bytes", len(req.Input))
			}
		}
		for _, v := range r.want(r.other(), claims(2, 25), dedupe.Done) {
			if len(v.Row.Result) != 350<<10 {
				r.Errorf("a result of %d bytes came back, want %d", len(v.Row.Result), 350<<10)
			}
		}
	})
}

// Apply returns when its context ends, with an error, whatever DynamoDB does.
func TestContext(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		r.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: time.Hour} })
		for _, timeout := range []time.Duration{0, 100 * time.Millisecond, time.Hour} {
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			start := time.Now()
			_, err := r.store.Apply(ctx, claims(1, 30))
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				r.Errorf("with %v: error %v, want DeadlineExceeded", timeout, err)
			}
			if took, most := time.Since(start), min(timeout, 30*time.Second); took > most {
				r.Errorf("with %v: took %v, want at most %v", timeout, took, most)
			}
		}
	})
}

// A cold store completes what another claimed: it reads first.
func TestOtherWorkersClaim(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		ops := claims(1, 10)
		r.want(r.store, ops, dedupe.Won)
		r.want(r.other(), ended(dedupe.OpExtend, ops), dedupe.Applied)
		for i := range ops {
			ops[i].LeaseEnd += 5000
		}
		r.want(r.other(), ended(dedupe.OpExtend, ops), dedupe.Applied)
		r.want(r.store, ended(dedupe.OpComplete, ops), dedupe.Applied) // remembers an older version
	})
}
