package httpsource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// A retry gets the status, the headers and the body of the first response,
// byte for byte, and is told so; the handler runs once, in whatever process.
func TestReplay(t *testing.T) {
	store := memdedupe.New()
	body := bytes.Repeat([]byte{0, 1, 0xff, '\n', 'x'}, 1000)
	h := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header()["Link"] = []string{"<a>", "<b>"}
		w.Header().Set("X-Empty", "")
		w.WriteHeader(299)
		w.Header().Set("X-Late", "not sent")
		w.Write(body[:7])
		w.Write(body[7:])
	}}
	first := post(t, httpsource.Once(newGuard(store), h), "k", "{}")
	if first.Code != 299 || !bytes.Equal(first.Body.Bytes(), body) || first.Header().Get("Idempotency-Replayed") != "" || first.Header().Get("X-Late") != "" {
		t.Errorf("got %d with %d bytes and %v", first.Code, first.Body.Len(), first.Header())
	}
	for range 2 {
		again := post(t, httpsource.Once(newGuard(store), h), "k", "{}")
		header := maps.Clone(again.Header())
		header.Del("Idempotency-Replayed")
		if again.Code != first.Code || !bytes.Equal(again.Body.Bytes(), body) || !reflect.DeepEqual(header, first.Header()) ||
			again.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("got %d with %d bytes and %v, want the first response, %v", again.Code, again.Body.Len(), again.Header(), first.Header())
		}
	}
	h.wantRuns(t, 1)
}

// What the handler leaves out is filled in as net/http does, before it is
// stored; a response without a body has none when it is replayed.
func TestReplayOfLittle(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(w http.ResponseWriter)
		status int
		kind   []string
		body   string
	}{
		"nothing":    {func(http.ResponseWriter) {}, 200, nil, ""},
		"body":       {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, 200, []string{"text/html; charset=utf-8"}, "<html>"},
		"untyped":    {func(w http.ResponseWriter) { w.Header()["Content-Type"] = nil; fmt.Fprint(w, "x") }, 200, nil, "x"},
		"encoded":    {func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "br"); fmt.Fprint(w, "x") }, 200, nil, "x"},
		"no content": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent); fmt.Fprint(w, "x") }, 204, nil, ""},
		"early hint": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusBadGateway)
		}, 202, nil, ""},
	} {
		h := site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { c.do(w) }})
		for _, replayed := range []bool{false, true} {
			w := post(t, h, "k", "{}")
			want(t, w, c.status, c.body, replayed)
			if got := w.Header()["Content-Type"]; !slices.Equal(got, c.kind) {
				t.Errorf("%s: got Content-Type %q, want %q", name, got, c.kind)
			}
			if got, want := w.Header().Get("Content-Length"), fmt.Sprint(len(c.body)); c.status != 204 && got != want {
				t.Errorf("%s: got Content-Length %q, want %q", name, got, want)
			}
		}
	}
}

// Headers of the connection, the date and cookies are in the first response
// and in no replay; trailers and a length of the handler's own are in neither,
// and what cannot be sent is made so.
func TestHeadersNotStored(t *testing.T) {
	h := site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
		for name, value := range map[string]string{
			"Set-Cookie": "session=1", "Date": "yesterday", "Connection": "close, X-Hop", "X-Hop": "1", "Keep-Alive": "1", "Upgrade": "h2c",
			"Location": "/orders/1", "Trailer": "X-Sum", http.TrailerPrefix + "X-More": "1", "Content-Length": "7", "Idempotency-Replayed": "maybe",
			"X-Lines": "a\r\nSet-Cookie: b=1", "not sendable": "1",
		} {
			w.Header()[name] = []string{value}
		}
		fmt.Fprint(w, "done")
	}})
	names := func(w *httptest.ResponseRecorder) []string { return slices.Sorted(maps.Keys(w.Header())) }
	first, again := post(t, h, "k", "{}"), post(t, h, "k", "{}")
	if got, want := names(first), []string{"Connection", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Location", "Set-Cookie", "Upgrade", "X-Hop", "X-Lines"}; !slices.Equal(got, want) {
		t.Errorf("first: got %q, want %q", got, want)
	}
	if got, want := names(again), []string{"Content-Length", "Content-Type", "Idempotency-Replayed", "Location", "X-Lines"}; !slices.Equal(got, want) {
		t.Errorf("replay: got %q, want %q", got, want)
	}
	if got := again.Header().Get("X-Lines"); strings.ContainsAny(got, "\r\n") || again.Header().Get("Content-Length") != "4" {
		t.Errorf("replay: got X-Lines %q and Content-Length %s", got, again.Header().Get("Content-Length"))
	}
}

// What middlewares around have set is sent with every answer and not stored:
// a replay has those of its own request.
func TestHeadersAround(t *testing.T) {
	n := 0
	inner := site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("X-Both", "inner") }})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("X-Request-Id", fmt.Sprint(n))
		w.Header().Set("X-Both", "outer")
		inner.ServeHTTP(w, r)
	})
	for i := range 2 {
		w := post(t, h, "k", "{}")
		if got := w.Header().Get("X-Request-Id") + w.Header().Get("X-Both"); got != fmt.Sprint(i+1, "inner") && got != fmt.Sprintf("%dinner", i+1) {
			t.Errorf("got %q, want the request's own id, and the handler's value where both say something", got)
		}
	}
}

// A response that is too large to keep, by the option or for the store, is
// sent once; a retry is told that the work was done, and does not run.
func TestResponseTooLarge(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for name, h := range map[string]func(http.Handler) http.Handler{
		"option": func(h http.Handler) http.Handler { return site(h, httpsource.Options{MaxResponse: 4000}) },
		"store":  func(h http.Handler) http.Handler { return httpsource.Once(newGuard(keepsLittle{memdedupe.New()}), h) },
	} {
		o := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, large) }}
		site := h(o)
		want(t, post(t, site, "k", "{}"), http.StatusOK, large, false)
		w := post(t, site, "k", "{}")
		wantProblem(t, w, http.StatusGone, httpsource.ProblemLost)
		if w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: the answer does not say that it is about an earlier run", name)
		}
		o.wantRuns(t, 1)
	}
}

// keepsLittle is a store that keeps results of up to 4000 bytes.
type keepsLittle struct{ dedupe.Store }

func (s keepsLittle) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	for i := range ops {
		if len(ops[i].Result) > 4000 {
			ops[i].Result, ops[i].ResultLost = nil, true
		}
	}
	return s.Store.Apply(ctx, ops)
}

// A stored response that is damaged, or of a later version, is never sent: the
// client gets a problem, the observer the reason, and the handler does not run.
func TestStoredResponseBroken(t *testing.T) {
	for _, change := range []func([]byte){
		func(b []byte) { b[0]++ },
		func(b []byte) { b[len(b)/2] ^= 1 },
	} {
		o := &told{}
		h := &orders{}
		site := httpsource.Once(newGuard(damaged{memdedupe.New(), change}, func(g *dedupe.Options) { g.Observer = o }), h)
		want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":1}`, false)
		wantProblem(t, post(t, site, "k", "{}"), http.StatusInternalServerError, httpsource.ProblemUnreadable)
		if _, ok := errors.AsType[*httpsource.StoredError](o.failure()); !ok {
			t.Errorf("got failure %v, want a StoredError", o.failure())
		}
		h.wantRuns(t, 1)
	}
}

// damaged is a store that changes results before it keeps them.
type damaged struct {
	dedupe.Store
	change func([]byte)
}

func (s damaged) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	for i := range ops {
		if ops[i].Result != nil {
			ops[i].Result = bytes.Clone(ops[i].Result)
			s.change(ops[i].Result)
		}
	}
	return s.Store.Apply(ctx, ops)
}

// A server that was overtaken in mid-request sends the response that is
// stored, not its own: all clients are told the same.
func TestOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memdedupe.New()
		slow := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
			time.Sleep(10 * time.Second)
			fmt.Fprint(w, "slow")
		}}
		quick := &orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, "quick") }}
		short := func(o *dedupe.Options) { o.Lease = 2 * time.Second }
		noExtend := faulty{store, func(kind dedupe.OpKind) bool { return kind == dedupe.OpExtend }}
		answers := make(chan *httptest.ResponseRecorder)
		go func() { answers <- post(t, httpsource.Once(newGuard(noExtend, short), slow), "k", "{}") }()
		time.Sleep(5 * time.Second)
		want(t, post(t, httpsource.Once(newGuard(store, short), quick), "k", "{}"), http.StatusOK, "quick", false)
		want(t, <-answers, http.StatusOK, "quick", true)
	})
}

// Work that the handler completed in a transaction of its own is done although
// no response could be stored with it.
func TestCompletedInTransaction(t *testing.T) {
	store := memdedupe.New()
	h := &orders{do: func(w http.ResponseWriter, r *http.Request, _ int) {
		err := dedupe.CompleteWith(r.Context(), store, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
			vs, err := store.Apply(ctx, []dedupe.Op{op})
			return vs[0], err
		})
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusBadGateway) // whatever it says
	}}
	site := httpsource.Once(newGuard(store), h)
	want(t, post(t, site, "k", "{}"), http.StatusBadGateway, "", false)
	wantProblem(t, post(t, site, "k", "{}"), http.StatusGone, httpsource.ProblemLost)
	h.wantRuns(t, 1)
}

// Without a guard every request runs, with the same checks.
func TestUnguarded(t *testing.T) {
	h := &orders{}
	site := httpsource.Once(nil, h)
	want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":1}`, false)
	want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":2}`, false)
	wantProblem(t, post(t, site, "", "{}"), http.StatusBadRequest, httpsource.ProblemNoKey)
}

// The handler finds its claim in the context, and the request in the record.
func TestClaim(t *testing.T) {
	o := &told{}
	var claim dedupe.Claim
	site := httpsource.Once(newGuard(memdedupe.New(), func(g *dedupe.Options) { g.Observer = o; g.Key = dedupe.Field("/order_id") }),
		&orders{do: func(_ http.ResponseWriter, r *http.Request, _ int) {
			var ok bool
			if claim, ok = dedupe.FromContext(r.Context()); !ok {
				t.Error("no claim in the handler's context")
			}
		}})
	post(t, site, "k", "no JSON")
	claimed, _ := o.events[0].(consumer.Claimed)
	if claim.Key == "" || claim.Fence == 0 || claim.Claims != 1 || claimed.Key != claim.Key {
		t.Errorf("got claim %+v and %+v, want the same key", claim, claimed)
	}
	if rec := claimed.Record; rec.ID != "k" || rec.Type != "POST /orders" || string(rec.Body) != "no JSON" || rec.Raw.(*http.Request).URL.Path != "/orders" {
		t.Errorf("got record %+v", rec)
	}
}
