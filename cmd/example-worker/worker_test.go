package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// inProcess returns the worker's function over store, in this process.
func inProcess(t *testing.T, store dedupe.Store, env map[string]string) lambdatest.Function {
	t.Helper()
	env["STORE"], env["KEY"] = "memory:", "/order_id"
	return lambdatest.Function{Handler: newFunction(parseLambda(t, env), store, zap.NewNop())}
}

// forgetful is a store that applies everything and loses one answer.
type forgetful struct {
	dedupe.Store
	until atomic.Int32 // answers up to the one that is lost
}

func (f *forgetful) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	vs, err := f.Store.Apply(ctx, ops)
	if f.until.Add(-1) == 0 {
		return nil, errors.New("connection reset")
	}
	return vs, err
}

// Whichever answer of the store is lost, that to the claim or that to the
// completion, the order is done once.
func TestLostStoreResponse(t *testing.T) {
	t.Parallel()
	for _, lost := range []int32{1, 2, 3} {
		bolt, err := boltdedupe.Open(filepath.Join(t.TempDir(), "store.db"), boltdedupe.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { bolt.Close() })
		store := &forgetful{Store: bolt}
		store.until.Store(lost)
		next := newNextSystem(t, func(call) int { return http.StatusOK })
		f := inProcess(t, store, map[string]string{"EFFECT_URL": next.url, "LEASE": "1s"})
		payload := batch(t, "m1", `{"order_id":"o1"}`)
		waitFor(t, "the order", func() bool { return failed(t, f, 10*time.Second, payload) == "" })
		if got := failed(t, f, 10*time.Second, payload); got != "" || len(next.all()) != 1 {
			t.Errorf("answer %d lost: got failures %q and %d calls, want one call", lost, got, len(next.all()))
		}
		if store.until.Load() > 0 {
			t.Errorf("answer %d was never given", lost)
		}
	}
}

// A handler that takes longer than its lease keeps the order: a second
// delivery to another worker fails meanwhile and is skipped afterwards.
func TestSlowHandler(t *testing.T) {
	t.Parallel()
	slowRun(t, map[string]string{"LEASE": "600ms"}, 1500*time.Millisecond)
}

// An order whose handler takes longer than finished work is remembered stays
// claimed while it runs; it is remembered from its completion.
func TestRetentionShorterThanRun(t *testing.T) {
	t.Parallel()
	const retain = time.Second
	next, f := slowRun(t, map[string]string{"RETAIN": retain.String()}, 1500*time.Millisecond)
	time.Sleep(retain + 100*time.Millisecond)
	if got := failed(t, f, 10*time.Second, batch(t, "m1", slowOrder)); got != "" || len(next.all()) != 2 {
		t.Errorf("forgotten: got failures %q and %d calls, want a second call", got, len(next.all()))
	}
}

const slowOrder = `{"order_id":"slow"}`

// slowRun runs an order for as long as that and delivers it to another worker,
// which it returns, meanwhile and afterwards.
func slowRun(t *testing.T, env map[string]string, long time.Duration) (*nextSystem, lambdatest.Function) {
	t.Helper()
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	next := newNextSystem(t, func(call) int {
		once.Do(func() { close(began) })
		<-release
		return http.StatusOK
	})
	store := memdedupe.New()
	env["EFFECT_URL"] = next.url
	slow, other := inProcess(t, store, env), inProcess(t, store, env)
	payload := batch(t, "m1", slowOrder)
	ended := make(chan string)
	go func() { ended <- failed(t, slow, 20*time.Second, payload) }()
	<-began
	for at := time.Now(); time.Since(at) < long; time.Sleep(100 * time.Millisecond) {
		if got := failed(t, other, 20*time.Second, payload); !strings.Contains(got, "in progress elsewhere") {
			t.Errorf("after %v: got failures %q, want that the order is in progress", time.Since(at), got)
		}
	}
	close(release)
	if got := <-ended; got != "" {
		t.Errorf("got failures %q from the slow worker", got)
	}
	if got := failed(t, other, 20*time.Second, payload); got != "" || len(next.all()) != 1 {
		t.Errorf("afterwards: got failures %q and %d calls, want one call", got, len(next.all()))
	}
	return next, other
}

// At the deadline the answer is there in time and names what is not finished,
// running or not; a redelivery does that and nothing else.
func TestDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "hang") {
			<-release
		}
		return http.StatusOK
	})
	f := inProcess(t, memdedupe.New(), map[string]string{"EFFECT_URL": next.url, "CONCURRENCY": "2", "LEASE": "2s"})
	bodies := []string{`{"order_id":"first"}`, `{"order_id":"hang1"}`, `{"order_id":"hang2"}`, `{"order_id":"last"}`}
	payload := batch(t, "m1", bodies[0], "m2", bodies[1], "m3", bodies[2], "m4", bodies[3])
	const timeout = 1500 * time.Millisecond
	at := time.Now()
	if got, want := failed(t, f, timeout, payload), "m2 m3 m4"; got != want || time.Since(at) > timeout {
		t.Errorf("got failures %q after %v, want %q within %v", got, time.Since(at), want, timeout)
	}
	close(release)
	waitFor(t, "the rest", func() bool { return failed(t, f, 10*time.Second, payload) == "" })
	for i, want := range []int{1, 2, 2, 1} {
		calls := next.about(bodies[i])
		if len(calls) != want {
			t.Errorf("%s: got %d calls, want %d", bodies[i], len(calls), want)
		}
		checkFences(t, calls)
	}
}
