package httpsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// A key that was used for another method, path, query, body or by the same
// caller for anything else is refused, and what it was used for stays.
func TestReusedKey(t *testing.T) {
	h := &orders{}
	site := site(h, httpsource.Options{Methods: []string{http.MethodPost, http.MethodPut}})
	want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":1}`, false)
	for _, c := range []struct{ method, target, body string }{
		{http.MethodPost, "/orders", "{ }"},
		{http.MethodPost, "/orders", ""},
		{http.MethodPost, "/orders/", "{}"},
		{http.MethodPost, "/order%73", "{}"},
		{http.MethodPost, "/orders?dry_run=1", "{}"},
		{http.MethodPut, "/orders", "{}"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.body))
		r.Header.Set("Idempotency-Key", "k")
		wantProblem(t, do(site, r), http.StatusUnprocessableEntity, httpsource.ProblemReused)
	}
	want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":1}`, true)
	h.wantRuns(t, 1)
}

// Where one part of a request ends and the next begins is part of it.
func TestReusedKeyShifted(t *testing.T) {
	h := &orders{}
	site := site(h)
	for i, c := range []struct{ target, body string }{{"/a?bc", "d"}, {"/a?b", "cd"}, {"/ab?c", "d"}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.target, strings.NewReader(c.body))
		r.Header.Set("Idempotency-Key", "k")
		if w := do(site, r); (w.Code == http.StatusCreated) != (i == 0) {
			t.Errorf("%+v: got %d", c, w.Code)
		}
	}
}

// A request without a key is refused, and its handler does not run.
func TestNoKey(t *testing.T) {
	h := &orders{}
	wantProblem(t, post(t, site(h), "", "{}"), http.StatusBadRequest, httpsource.ProblemNoKey)
	h.wantRuns(t, 0)
}

// With Optional a request without a key runs each time, and one with a
// malformed key is refused all the same.
func TestOptional(t *testing.T) {
	h := &orders{}
	site := site(h, httpsource.Options{Optional: true, MaxBody: 1})
	for i := range 2 {
		want(t, post(t, site, "", "a long body"), http.StatusCreated, fmt.Sprintf(`{"run":%d}`, i+1), false)
	}
	wantProblem(t, post(t, site, `"`, "{}"), http.StatusBadRequest, httpsource.ProblemBadKey)
	h.wantRuns(t, 2)
}

// Methods that are idempotent by themselves pass, unless the option names
// them.
func TestMethods(t *testing.T) {
	for _, c := range []struct {
		methods []string
		method  string
		guarded bool
	}{
		{nil, http.MethodPost, true},
		{nil, http.MethodPatch, true},
		{nil, http.MethodGet, false},
		{nil, http.MethodHead, false},
		{nil, http.MethodPut, false},
		{nil, http.MethodDelete, false},
		{nil, http.MethodOptions, false},
		{[]string{http.MethodDelete}, http.MethodDelete, true},
		{[]string{http.MethodDelete}, http.MethodPost, false},
		{[]string{}, http.MethodPost, false},
	} {
		h := &orders{}
		site := site(h, httpsource.Options{Methods: c.methods})
		for range 2 {
			r := httptest.NewRequestWithContext(t.Context(), c.method, "/orders", http.NoBody)
			r.Header.Set("Idempotency-Key", "k")
			do(site, r)
		}
		h.wantRuns(t, map[bool]int{true: 1, false: 2}[c.guarded])
	}
}

// A HEAD request that is guarded is replayed with the length of the body that
// it does not get.
func TestHead(t *testing.T) {
	h := &orders{}
	server := httptest.NewServer(site(h, httpsource.Options{Methods: []string{http.MethodHead}}))
	defer server.Close()
	for _, replayed := range []string{"", "true"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL, http.NoBody)
		req.Header.Set("Idempotency-Key", "k")
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated || len(body) != 0 || resp.ContentLength != 9 || resp.Header.Get("Idempotency-Replayed") != replayed {
			t.Errorf("got %s, %d bytes of %d, %v", resp.Status, len(body), resp.ContentLength, resp.Header)
		}
	}
	h.wantRuns(t, 1)
}

// A key is the text of an sf-string or a bare value, and the two are the same
// key; all else is refused before the handler runs.
func TestKeys(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct{ text, same string }{
		{`"8e03978e-40d5-43e8-bc93-6894a57f9324"`, `8e03978e-40d5-43e8-bc93-6894a57f9324`},
		{` "k"	`, `k`},
		{`order:1/2=3;a`, `"order:1/2=3;a"`},
		{`"with, \"all\" \\ that"`, ``},
		{`"` + long + `"`, long},
	} {
		h := &orders{}
		site := site(h)
		want(t, post(t, site, c.text, "{}"), http.StatusCreated, `{"run":1}`, false)
		want(t, post(t, site, c.text, "{}"), http.StatusCreated, `{"run":1}`, true)
		if c.same != "" {
			want(t, post(t, site, c.same, "{}"), http.StatusCreated, `{"run":1}`, true)
		}
	}
	h := &orders{}
	site := site(h)
	for _, text := range []string{
		`""`, ` `, `"`, `"a`, `a"`, `"a"b`, `"a";p=1`, `"a", "b"`, `a,b`, `a b`, `"a\b"`, `"a\`, `"a\"`, `\`, "\"a\tb\"", "ä", `"ä"`, "\x7f", "\"\x7f\"",
		long + "x", `"` + long + `x"`,
	} {
		w := post(t, site, text, "{}")
		wantProblem(t, w, http.StatusBadRequest, httpsource.ProblemBadKey)
		if t.Failed() {
			t.Fatalf("key %q", text)
		}
	}
	r := request(t, "a", "{}")
	r.Header.Add("Idempotency-Key", "a")
	wantProblem(t, do(site, r), http.StatusBadRequest, httpsource.ProblemBadKey)
	r.Header["Idempotency-Key"] = []string{""}
	wantProblem(t, do(site, r), http.StatusBadRequest, httpsource.ProblemBadKey)
	h.wantRuns(t, 0)
}

// Callers do not share keys, however scope and key are cut, and one that
// cannot be told is refused before its body is read.
func TestScope(t *testing.T) {
	h := &orders{}
	site := site(h, httpsource.Options{Scope: func(r *http.Request) (string, error) {
		if r.Header.Get("X-Account") == "bad" {
			return "bad", errors.New("no such account")
		}
		return r.Header.Get("X-Account"), nil
	}})
	send := func(account, key string) *httptest.ResponseRecorder {
		r := request(t, key, "{}")
		r.Header.Set("X-Account", account)
		return do(site, r)
	}
	for i, c := range [][2]string{{"a", "k"}, {"b", "k"}, {"ak", "k"}, {"a", "kk"}, {"k", "a"}} {
		want(t, send(c[0], c[1]), http.StatusCreated, fmt.Sprintf(`{"run":%d}`, i+1), false)
	}
	want(t, send("a", "k"), http.StatusCreated, `{"run":1}`, true)
	wantProblem(t, send("", "k"), http.StatusForbidden, httpsource.ProblemScope)
	wantProblem(t, send("bad", "k"), http.StatusForbidden, httpsource.ProblemScope)
	h.wantRuns(t, 5)
}

// A key belongs to the path that the client sent, whatever is left of it when
// the request gets here.
func TestReusedKeyUnderPrefix(t *testing.T) {
	h := &orders{}
	guard := newGuard(memdedupe.New())
	mux := http.NewServeMux()
	for _, prefix := range []string{"/a", "/b"} {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, httpsource.Once(guard, h)))
	}
	send := func(target string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("{}"))
		r.Header.Set("Idempotency-Key", "k")
		return do(mux, r)
	}
	want(t, send("/a/orders"), http.StatusCreated, `{"run":1}`, false)
	want(t, send("/a/orders"), http.StatusCreated, `{"run":1}`, true)
	want(t, send("http://example.com/a/orders"), http.StatusCreated, `{"run":1}`, true)
	wantProblem(t, send("/b/orders"), http.StatusUnprocessableEntity, httpsource.ProblemReused)
}

// No record of another source has the key of a request, whatever a sender
// writes into its fields.
func TestKeyInFieldsOfARecord(t *testing.T) {
	store := memdedupe.New()
	fields := newGuard(store, func(o *dedupe.Options) { o.Key = dedupe.Field("/tenant", "/order_id") })
	rec := &consumer.Record{Body: []byte(`{"tenant":"http","order_id":"k"}`)}
	if _, err := fields.Handle(t.Context(), rec, consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return nil })); err != nil {
		t.Fatal(err)
	}
	want(t, post(t, httpsource.Once(newGuard(store), &orders{}), "k", "{}"), http.StatusCreated, `{"run":1}`, false)
}

// A key that a record of another source has is another key.
func TestKeyOfAnotherSource(t *testing.T) {
	store := memdedupe.New()
	if _, _, err := dedupe.Do(t.Context(), newGuard(store), "k", func(context.Context) (int, error) { return 1, nil }); err != nil {
		t.Fatal(err)
	}
	want(t, post(t, httpsource.Once(newGuard(store), &orders{}), "k", "{}"), http.StatusCreated, `{"run":1}`, false)
}

// A body of the limit passes and reaches the handler; one byte more is
// refused, with and without a length, before the handler runs.
func TestBodyLimit(t *testing.T) {
	for _, limit := range []int{0, 10} {
		most := map[int]int{0: 1 << 20, 10: 10}[limit]
		h := &orders{do: func(w http.ResponseWriter, r *http.Request, _ int) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, r.ContentLength, err)
		}}
		site := site(h, httpsource.Options{MaxBody: int64(limit)})
		for i, announced := range []bool{true, false} {
			send := func(n int) *httptest.ResponseRecorder {
				r := request(t, fmt.Sprint("k", i), strings.Repeat("x", n))
				if !announced {
					r.Body, r.ContentLength = io.NopCloser(r.Body), -1
				}
				return do(site, r)
			}
			wantProblem(t, send(most+1), http.StatusRequestEntityTooLarge, httpsource.ProblemTooLarge)
			want(t, send(most), http.StatusOK, fmt.Sprint(most, most, error(nil)), false)
		}
		h.wantRuns(t, 2)
	}
}

// A body that breaks off is refused, and the key is still free.
func TestBodyBreaksOff(t *testing.T) {
	h := &orders{}
	site := site(h)
	r := request(t, "k", "{}")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
	wantProblem(t, do(site, r), http.StatusBadRequest, httpsource.ProblemBody)
	want(t, post(t, site, "k", "{}"), http.StatusCreated, `{"run":1}`, false)
	r = request(t, "none", "")
	r.Body = nil
	want(t, do(site, r), http.StatusCreated, `{"run":2}`, false)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Mistakes in wiring panic at construction.
func TestWiring(t *testing.T) {
	for name, f := range map[string]func(){
		"no handler":  func() { httpsource.Once(nil, nil) },
		"two options": func() { httpsource.Once(nil, &orders{}, httpsource.Options{}, httpsource.Options{}) },
		"MaxBody":     func() { httpsource.Once(nil, &orders{}, httpsource.Options{MaxBody: -1}) },
		"MaxResponse": func() { httpsource.Once(nil, &orders{}, httpsource.Options{MaxResponse: -1}) },
		"Timeout":     func() { httpsource.Once(nil, &orders{}, httpsource.Options{Timeout: -1}) },
		"Methods":     func() { httpsource.Once(nil, &orders{}, httpsource.Options{Methods: []string{""}}) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, "httpsource: Once") {
					t.Errorf("%s: got panic %q", name, v)
				}
			}()
			f()
		}()
	}
}

// A key whose request failed is free for that request alone: what it began may
// have had an effect, under the same key, in the next system.
func TestReusedKeyAfterFailure(t *testing.T) {
	h := &orders{do: func(w http.ResponseWriter, _ *http.Request, run int) {
		if run == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}}
	site := site(h)
	if w := post(t, site, "k", "one"); w.Code != http.StatusBadGateway {
		t.Fatalf("got %d", w.Code)
	}
	wantProblem(t, post(t, site, "k", "another"), http.StatusUnprocessableEntity, httpsource.ProblemReused)
	if w := post(t, site, "k", "one"); w.Code != http.StatusCreated {
		t.Errorf("got %d for the request that failed before, want 201", w.Code)
	}
	h.wantRuns(t, 2)
}
