package httpsource_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// slow is an orders handler that takes a minute less a second.
func slow() *orders {
	h := &orders{}
	h.do = func(w http.ResponseWriter, _ *http.Request, run int) {
		time.Sleep(59 * time.Second)
		fmt.Fprint(w, run)
	}
	return h
}

// A request whose twin runs, in this process or another, is refused with the
// seconds of lease that its twin has left, rounded up; one with another
// payload is refused for good.
func TestInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memdedupe.New()
		h := slow()
		lease := func(o *dedupe.Options) { o.Lease, o.Skew = 90*time.Second, 500*time.Millisecond }
		here, elsewhere := httpsource.Once(newGuard(store, lease), h), httpsource.Once(newGuard(store, lease), h)
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- post(t, here, "k", "{}") }()
		time.Sleep(700 * time.Millisecond)
		for _, site := range []http.Handler{here, elsewhere} {
			w := post(t, site, "k", "{}")
			wantProblem(t, w, http.StatusConflict, httpsource.ProblemInProgress)
			// The lease ends with the handler's minute, half a second later.
			if got := w.Header().Get("Retry-After"); got != "60" {
				t.Errorf("got Retry-After %q, want the 59.8 s left, rounded up", got)
			}
			wantProblem(t, post(t, site, "k", "another"), http.StatusUnprocessableEntity, httpsource.ProblemReused)
		}
		want(t, <-first, http.StatusOK, "1", false)
		want(t, post(t, elsewhere, "k", "{}"), http.StatusOK, "1", true)
		h.wantRuns(t, 1)
	})
}

// With Wait a request whose twin runs in this process has its response, also
// one that is not kept; one with another payload is refused, and one whose
// twin runs elsewhere is not kept waiting.
func TestWait(t *testing.T) {
	for _, status := range []int{http.StatusCreated, http.StatusBadGateway} {
		synctest.Test(t, func(t *testing.T) {
			store := memdedupe.New()
			h := &orders{do: func(w http.ResponseWriter, _ *http.Request, run int) {
				time.Sleep(10 * time.Second)
				w.WriteHeader(status)
				fmt.Fprint(w, run)
			}}
			wait := httpsource.Options{Wait: true}
			here := httpsource.Once(newGuard(store), h, wait)
			var all sync.WaitGroup
			all.Go(func() { want(t, post(t, here, "k", "{}"), status, "1", false) })
			synctest.Wait()
			for range 10 {
				all.Go(func() { want(t, post(t, here, "k", "{}"), status, "1", true) })
				all.Go(func() {
					wantProblem(t, post(t, here, "k", "another"), http.StatusUnprocessableEntity, httpsource.ProblemReused)
				})
			}
			wantProblem(t, post(t, httpsource.Once(newGuard(store), h, wait), "k", "{}"), http.StatusConflict, httpsource.ProblemInProgress)
			all.Wait()
			h.wantRuns(t, 1)
		})
	}
}

// A twin that waits gets the response of a failed run without the cookies, as
// it would get a stored one.
func TestWaitWithoutCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
			time.Sleep(time.Second)
			w.Header().Set("Set-Cookie", "session=1")
			w.Header().Set("X-Kept", "1")
			w.WriteHeader(http.StatusBadGateway)
		}}, httpsource.Options{Wait: true})
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- post(t, site, "k", "{}") }()
		synctest.Wait()
		twin := post(t, site, "k", "{}")
		if got := twin.Header(); twin.Code != http.StatusBadGateway || got.Get("Set-Cookie") != "" || got.Get("X-Kept") != "1" {
			t.Errorf("twin: got %d, %v, want 502 with X-Kept and no Set-Cookie", twin.Code, got)
		}
		if got := (<-first).Header().Get("Set-Cookie"); got != "session=1" {
			t.Errorf("first: got Set-Cookie %q, want session=1", got)
		}
	})
}

// A request stops waiting for its twin when its client leaves, or its time is
// over.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &orders{do: func(_ http.ResponseWriter, _ *http.Request, _ int) { time.Sleep(time.Minute) }}
		guard := newGuard(memdedupe.New())
		go post(t, httpsource.Once(guard, h, httpsource.Options{Timeout: time.Hour}), "k", "{}")
		synctest.Wait()
		begun := time.Now()
		site := httpsource.Once(guard, h, httpsource.Options{Wait: true, Timeout: 10 * time.Second})
		w := post(t, site, "k", "{}")
		wantProblem(t, w, http.StatusServiceUnavailable, httpsource.ProblemTimeout)
		if took := time.Since(begun); took != 10*time.Second || w.Header().Get("Retry-After") != "1" {
			t.Errorf("waited %v, Retry-After %q, want 10s and 1", took, w.Header().Get("Retry-After"))
		}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, leave)
		begun = time.Now()
		do(site, request(t, "k", "{}").WithContext(ctx))
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("waited %v, want 3s", took)
		}
		time.Sleep(time.Minute)
	})
}

// The handler goes on when its client leaves, and the retry has its response.
func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &orders{do: func(w http.ResponseWriter, r *http.Request, run int) {
			select {
			case <-r.Context().Done():
				t.Error("the handler's context ended:", context.Cause(r.Context()))
			case <-time.After(10 * time.Second):
			}
			fmt.Fprint(w, run, r.Context().Value(contextKey{}))
		}}
		site := site(h)
		ctx, leave := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "value"))
		time.AfterFunc(time.Second, leave)
		do(site, request(t, "k", "{}").WithContext(ctx))
		want(t, post(t, site, "k", "{}"), http.StatusOK, "1value", true)
		h.wantRuns(t, 1)
	})
}

type contextKey struct{}

// The handler's context ends after Timeout, or at the deadline of the
// request's own context, with the cause; what it answers then counts.
func TestTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		timeout, deadline, after time.Duration
		cause                    error
	}{
		"default":        {0, 0, time.Minute, nil},
		"timeout":        {10 * time.Second, 0, 10 * time.Second, nil},
		"deadline":       {10 * time.Second, 5 * time.Second, 5 * time.Second, context.DeadlineExceeded},
		"later deadline": {10 * time.Second, 15 * time.Second, 10 * time.Second, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			h := &orders{do: func(w http.ResponseWriter, r *http.Request, _ int) {
				<-r.Context().Done()
				_, timeout := errors.AsType[*consumer.TimeoutError](context.Cause(r.Context()))
				if timeout != (c.cause == nil) || c.cause != nil && !errors.Is(context.Cause(r.Context()), c.cause) {
					t.Errorf("%s: got cause %v", name, context.Cause(r.Context()))
				}
				w.WriteHeader(http.StatusGatewayTimeout)
			}}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.deadline != 0 {
				ctx, cancel = context.WithDeadline(ctx, begun.Add(c.deadline))
			}
			defer cancel()
			w := do(site(h, httpsource.Options{Timeout: c.timeout}), request(t, "k", "{}").WithContext(ctx))
			if took := time.Since(begun); took != c.after {
				t.Errorf("%s: took %v, want %v", name, took, c.after)
			}
			want(t, w, http.StatusGatewayTimeout, "", false)
		})
	}
}

// A request whose deadline has passed does not run.
func TestTooLate(t *testing.T) {
	h := &orders{}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if w := do(site(h), request(t, "k", "{}").WithContext(ctx)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s, want 503", w.Code, w.Body)
	}
	h.wantRuns(t, 0)
}

// What does not end the work is sent as it is and not kept: a retry runs. The
// rest is kept, also when it refuses.
func TestStatuses(t *testing.T) {
	for status, kept := range map[int]bool{
		200: true, 201: true, 204: true, 303: true, 400: true, 404: true, 409: true, 422: true, 499: true,
		408: false, 425: false, 429: false, 500: false, 502: false, 503: false, 504: false, 599: false,
	} {
		h := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }}
		o := &told{}
		site := httpsource.Once(newGuard(memdedupe.New(), func(g *dedupe.Options) { g.Observer = o }), h)
		want(t, post(t, site, "k", "{}"), status, "", false)
		want(t, post(t, site, "k", "{}"), status, "", kept)
		h.wantRuns(t, map[bool]int{true: 1, false: 2}[kept])
		if err := o.failure(); (err == nil) != kept {
			t.Errorf("%d: the observer was told of the failure %v", status, err)
		}
	}
	only := httpsource.Options{Keep: func(status int) bool { return status == http.StatusBadGateway }}
	for status, kept := range map[int]bool{http.StatusOK: false, http.StatusBadGateway: true} {
		h := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }}
		site := site(h, only)
		want(t, post(t, site, "k", "{}"), status, "", false)
		want(t, post(t, site, "k", "{}"), status, "", kept)
	}
}

// A panic is an answer, told to the observer; the key is free and a retry
// runs. What the handler had written is not sent.
func TestPanic(t *testing.T) {
	o := &told{}
	h := &orders{}
	h.do = func(w http.ResponseWriter, _ *http.Request, run int) {
		switch run {
		case 1:
			fmt.Fprint(w, "half of it")
			panic("table db-7.internal is gone")
		case 2:
			w.WriteHeader(42)
		}
		fmt.Fprint(w, run)
	}
	site := httpsource.Once(newGuard(memdedupe.New(), func(g *dedupe.Options) { g.Observer = o }), h)
	for range 2 {
		w := post(t, site, "k", "{}")
		wantProblem(t, w, http.StatusInternalServerError, httpsource.ProblemFailed)
		if _, ok := errors.AsType[*consumer.PanicError](o.failure()); !ok || strings.Contains(w.Body.String(), "db-7") {
			t.Errorf("got failure %v and %s, want a PanicError for the observer alone", o.failure(), w.Body)
		}
	}
	want(t, post(t, site, "k", "{}"), http.StatusOK, "3", false)
}

// A handler that aborts its response breaks the connection, as without Once,
// and one that ends its goroutine leaves the key free.
func TestAbort(t *testing.T) {
	h := &orders{}
	h.do = func(w http.ResponseWriter, _ *http.Request, run int) {
		switch run {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			runtime.Goexit()
		}
		fmt.Fprint(w, run)
	}
	site := site(h)
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("got panic %v, want ErrAbortHandler", v)
			}
		}()
		post(t, site, "k", "{}")
	}()
	var gone sync.WaitGroup
	gone.Go(func() { post(t, site, "k", "{}") })
	gone.Wait()
	want(t, post(t, site, "k", "{}"), http.StatusOK, "3", false)
}

// A request that waits for a twin which ends its goroutine is answered all the
// same.
func TestAbortOfTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := site(&orders{do: func(_ http.ResponseWriter, _ *http.Request, _ int) {
			time.Sleep(time.Second)
			runtime.Goexit()
		}}, httpsource.Options{Wait: true})
		go post(t, site, "k", "{}")
		synctest.Wait()
		wantProblem(t, post(t, site, "k", "{}"), http.StatusInternalServerError, httpsource.ProblemFailed)
	})
}

// A handler that would stream is told that it cannot, by all ways there are.
func TestCannotStream(t *testing.T) {
	h := site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
		c := http.NewResponseController(w)
		_, _, hijack := c.Hijack()
		for what, err := range map[string]error{"flush": c.Flush(), "hijack": hijack, "deadline": c.SetWriteDeadline(time.Time{})} {
			if !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("%s: got %v, want ErrNotSupported", what, err)
			}
		}
		if _, ok := w.(http.Flusher); ok {
			t.Error("the writer says that it can flush")
		}
	}})
	want(t, post(t, h, "k", "{}"), http.StatusOK, "", false)
}

// When the store does not answer, nothing runs and the client is told to come
// again; when only the completion cannot be recorded, it is told that there
// may have been an effect, and a retry runs once the lease has passed.
func TestStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := map[dedupe.OpKind]bool{dedupe.OpClaim: true}
		h := &orders{}
		site := httpsource.Once(newGuard(faulty{memdedupe.New(), func(kind dedupe.OpKind) bool { return down[kind] }}), h)
		w := post(t, site, "k", "{}")
		wantProblem(t, w, http.StatusServiceUnavailable, httpsource.ProblemUnavailable)
		if w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "db-7") {
			t.Errorf("got Retry-After %q and %s", w.Header().Get("Retry-After"), w.Body)
		}
		h.wantRuns(t, 0)

		down[dedupe.OpClaim], down[dedupe.OpComplete] = false, true
		wantProblem(t, post(t, site, "k", "{}"), http.StatusServiceUnavailable, httpsource.ProblemUnrecorded)
		h.wantRuns(t, 1)
		down[dedupe.OpComplete] = false
		w = post(t, site, "k", "{}")
		wantProblem(t, w, http.StatusConflict, httpsource.ProblemInProgress)
		after, err := time.ParseDuration(w.Header().Get("Retry-After") + "s")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":2}`, false)
	})
}

// An at-most-once consumer never runs a request twice: after a run that did
// not end well its key is parked.
func TestParked(t *testing.T) {
	h := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusBadGateway) }}
	site := httpsource.Once(newGuard(memdedupe.New(), func(o *dedupe.Options) { o.AtMostOnce = true }), h)
	want(t, post(t, site, "k", "{}"), http.StatusBadGateway, "", false)
	w := post(t, site, "k", "{}")
	wantProblem(t, w, http.StatusConflict, httpsource.ProblemParked)
	if got := w.Header().Get("Retry-After"); got != "" {
		t.Errorf("got Retry-After %q, want none", got)
	}
	h.wantRuns(t, 1)
}
