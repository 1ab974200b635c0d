package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process that is killed in the middle of a batch leaves what it finished
// finished; the next one takes over the rest under the same keys with larger
// fencing numbers.
func TestKilledInMidBatch(t *testing.T) {
	var f function
	var once sync.Once
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "second") {
			once.Do(func() {
				time.Sleep(300 * time.Millisecond) // by now the first is recorded
				f.Kill()
			})
		}
		return http.StatusOK
	})
	f = startFunction(t, 1, "STORE=bolt:"+filepath.Join(t.TempDir(), "store.db"), "KEY=/order_id", "LEASE=2s", "CONCURRENCY=2",
		"EFFECT_URL="+next.url)
	first, second, third := `{"order_id":"first"}`, `{"order_id":"second"}`, `{"order_id":"third"}`
	payload := batch(t, "m1", first, "m2", second)
	if got := f.failed(t, payload); !strings.Contains(got, "Runtime.ExitError") {
		t.Errorf("got %q from a process that was killed", got)
	}
	payload = batch(t, "m1", first, "m2", second, "m3", third)
	if got := f.failed(t, payload); got != "m2" {
		t.Errorf("got failures %q at once, want m2: its lease has not ended", got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for got := "m2"; got != ""; got = f.failed(t, payload) {
		if time.Now().After(deadline) {
			t.Fatalf("still fails: %q", got)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for body, want := range map[string]int{first: 1, second: 2, third: 1} {
		calls := next.about(body)
		if len(calls) != want {
			t.Errorf("%s: got %d calls, want %d", body, len(calls), want)
		}
		checkFences(t, calls)
	}
	if n := f.Starts(); n != 2 {
		t.Errorf("got %d processes, want two", n)
	}
}

// An idle function ends as soon as it is told to.
func TestSignalEndsFunction(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	}))
	defer api.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "lambda", "--store", "memory:")
	cmd.Env = append(os.Environ(), runtimeAPI+"="+api.Listener.Addr().String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if ctx.Err() != nil {
		t.Error("the function goes on after SIGTERM")
	}
}
