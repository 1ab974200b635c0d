package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// pausable is the store as a worker sees it that can be stopped.
type pausable struct {
	dedupe.Store
	stopped chan struct{} // closed when it is to stop
	resumed chan struct{} // closed when it may go on
}

func (p pausable) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	select {
	case <-p.stopped:
		<-p.resumed
	default:
	}
	return p.Store.Apply(context.WithoutCancel(ctx), ops)
}

// A worker that stands still past its lease is overtaken; when it goes on, the
// next system has seen a larger fencing number, and the order stays finished,
// be it that the zombie's call succeeds then or fails.
func TestZombie(t *testing.T) {
	for name, status := range map[string]int{"succeeds": http.StatusOK, "fails": http.StatusInternalServerError} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testZombie(t, status)
		})
	}
}

// testZombie lets the call of the zombie be answered with status.
func testZombie(t *testing.T, status int) {
	store := memdedupe.New()
	zombieStore := pausable{store, make(chan struct{}), make(chan struct{})}
	var calls atomic.Int32
	overtaken := make(chan struct{})
	next := newNextSystem(t, func(call) int {
		if calls.Add(1) == 1 {
			close(zombieStore.stopped)
			<-overtaken
			return status
		}
		return http.StatusOK
	})
	s := parseLambda(t, map[string]string{"EFFECT_URL": next.url, "KEY": "/order_id", "LEASE": "400ms", "STORE": "memory:"})
	zombie := lambdatest.Function{Handler: newFunction(s, zombieStore, zap.NewNop())}
	other := lambdatest.Function{Handler: newFunction(s, store, zap.NewNop())}
	payload := batch(t, "m1", `{"order_id":"o1"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		response, err := zombie.Invoke(ctx, payload)
		t.Logf("the zombie answers %s, %v", response, err) // it may have learnt in time who finished, or not
	}()
	<-zombieStore.stopped
	refused := 0
	for {
		if _, err := other.Invoke(ctx, payload); err == nil {
			break
		}
		if refused++; ctx.Err() != nil {
			t.Fatal("the order was never taken over")
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(overtaken)
	time.Sleep(50 * time.Millisecond) // the answer comes first, then the store
	close(zombieStore.resumed)
	<-ended
	if refused == 0 {
		t.Error("the order was taken over while its lease stood")
	}
	for _, worker := range []lambdatest.Function{other, zombie} {
		if response, err := worker.Invoke(ctx, payload); err != nil || string(response) != `{"batchItemFailures":[]}` {
			t.Errorf("redelivered: got %s and error %v, want that the order is finished", response, err)
		}
	}
	if n := len(next.all()); n != 2 {
		t.Errorf("got %d calls, want the zombie's and one more", n)
	}
	checkFences(t, next.all())
}
