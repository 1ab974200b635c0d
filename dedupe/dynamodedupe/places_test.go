package dynamodedupe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// named returns claims of n keys that begin with name.
func named(name string, n int) []dedupe.Op {
	ops := claims(1, n)
	for i := range ops {
		ops[i].Key = dedupe.Key(name) + ops[i].Key
	}
	return ops
}

// hang makes the requests about keys with that prefix hang.
func hang(s *ddbtest.Server, prefix string) {
	s.Fault(func(req ddbtest.Request) (a ddbtest.Action) {
		if slices.ContainsFunc(req.Keys, func(key string) bool { return strings.HasPrefix(key, prefix) }) {
			a.Delay = time.Hour
		}
		return a
	})
}

// However many calls there are at once, eight of their requests are in flight,
// six when they only claim, and all are decided.
func TestInFlight(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		r.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: time.Millisecond} })
		all := func(kind dedupe.OpKind, outcome dedupe.Outcome) {
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					ops := named(fmt.Sprint(i), 60)
					if kind != dedupe.OpClaim {
						ops = ended(kind, ops)
					}
					r.want(r.store, ops, outcome)
				})
			}
			wg.Wait()
		}
		for _, c := range []struct {
			kind    dedupe.OpKind
			outcome dedupe.Outcome
			want    int
		}{{dedupe.OpClaim, dedupe.Won, 6}, {dedupe.OpComplete, dedupe.Applied, 8}} {
			r.Reset()
			all(c.kind, c.outcome)
			if got := r.MostInFlight(); got != c.want {
				r.Errorf("%v: %d requests in flight, want %d", c.kind, got, c.want)
			}
		}
	})
}

// Claims that hang, however many, hold up neither an extend nor a completion.
func TestHungClaims(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		held := named("held", 2)
		r.want(r.store, held, dedupe.Won)
		hang(r.Server, "hung")
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if vs, err := r.store.Apply(ctx, named(fmt.Sprint("hung", i), 2)); err == nil {
					r.Errorf("verdicts %v of a claim that hangs", vs)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		r.want(r.store, ended(dedupe.OpExtend, held), dedupe.Applied)
		r.want(r.store, ended(dedupe.OpComplete, held), dedupe.Applied)
		if took := time.Since(start); took > 0 {
			r.Errorf("waited %v for claims that hang", took)
		}
		wg.Wait()
	})
}

// Completions that hang hold up others for the Timeout, no longer.
func TestHungCompletions(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		held := named("held", 2)
		r.want(r.store, held, dedupe.Won)
		hung := named("hung", 8)
		r.want(r.store, hung, dedupe.Won)
		hang(r.Server, "hung")
		var wg sync.WaitGroup
		for i := range hung {
			wg.Go(func() { _, _ = r.store.Apply(r.Context(), ended(dedupe.OpComplete, hung[i:i+1])) })
		}
		synctest.Wait()
		start := time.Now()
		r.want(r.store, ended(dedupe.OpExtend, held), dedupe.Applied)
		if took := time.Since(start); took > 3*time.Second {
			r.Errorf("waited %v, want at most 3s", took)
		}
		wg.Wait()
	})
}

// Who leaves while waiting for a place is told so at once, and takes none
// along.
func TestLeaveWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, ddbtest.Options{})
		r := rig{t, s, dynamodedupe.New(s.Client(), table, dynamodedupe.Options{InFlight: 1})}
		one, hung := named("one", 2), named("hung", 2)
		ways := [][]dedupe.Op{one, one[:1], ended(dedupe.OpComplete, one)}
		hang(s, "hung")
		for _, ahead := range [][]dedupe.Op{hung, ended(dedupe.OpComplete, hung)} {
			for _, ops := range ways {
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = r.store.Apply(t.Context(), ahead) })
				synctest.Wait()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				vs, err := r.store.Apply(ctx, ops)
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
					t.Errorf("%v behind %v: %v, %v after %v, want DeadlineExceeded after 1s", ops[0].Kind, ahead[0].Kind, vs, err, took)
				}
				cancel()
				wg.Wait()
			}
		}
		s.Fault(nil)
		r.want(r.store, one, dedupe.Won)
		r.want(r.store, ended(dedupe.OpComplete, one), dedupe.Applied)
	})
}
