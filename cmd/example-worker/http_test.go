package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
)

// httpServer is the program as a process that serves HTTP.
type httpServer struct {
	*testing.T
	url  string
	cmd  *exec.Cmd
	out  lockedBuffer
	errs lockedBuffer
	gone chan struct{}
}

// startHTTP starts a server and waits until it listens.
func startHTTP(t *testing.T, env []string, args ...string) *httpServer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &httpServer{T: t, gone: make(chan struct{})}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), self, append([]string{"http", "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Env = append(os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errs
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() { s.cmd.Process.Kill(); <-s.gone })
	waitFor(t, "the server", func() bool {
		for line := range strings.Lines(s.errs.String()) {
			var l struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening" {
				s.url = "http://" + l.Address
			}
		}
		return s.url != ""
	})
	return s
}

// got is an answer.
type got struct {
	status   int
	kind     string
	body     string
	replayed string
	after    string
}

// post orders body under key, which is not sent when it is empty.
func (s *httpServer) post(ctx context.Context, key, body string) (got, error) {
	return s.do(ctx, http.MethodPost, "/orders", key, body)
}

func (s *httpServer) do(ctx context.Context, method, path, key, body string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return got{}, err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return got{resp.StatusCode, resp.Header.Get("Content-Type"), string(b), resp.Header.Get("Idempotency-Replayed"), resp.Header.Get("Retry-After")}, err
}

// posts is post without an error.
func (s *httpServer) posts(key, body string) got {
	s.Helper()
	g, err := s.post(s.Context(), key, body)
	if err != nil {
		s.Fatal(err)
	}
	return g
}

// wantsProblem checks an answer that is an error.
func wantsProblem(t *testing.T, g got, status int) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	err := json.Unmarshal([]byte(g.body), &p)
	if err != nil || g.status != status || p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" || g.kind != "application/problem+json" {
		t.Errorf("got %+v, %v, want the problem %d", g, err, status)
	}
}

// ends sends SIGTERM and returns the exit code.
func (s *httpServer) ends() int {
	s.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	select {
	case <-s.gone:
	case <-time.After(30 * time.Second):
		s.Fatal("the process does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// An order is done once and answered 201; what else there is has the status of
// the contract, as a problem.
func TestHTTP(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	var failures atomic.Int32
	next := newNextSystem(t, func(c call) int {
		switch c.body {
		case "slow":
			close(began)
			<-release
		case "refused":
			return http.StatusUnprocessableEntity
		case "fails once":
			if failures.Add(1) == 1 {
				return http.StatusInternalServerError
			}
		}
		return http.StatusOK
	})
	s := startHTTP(t, nil, "--store", "bolt:"+filepath.Join(t.TempDir(), "store.db"), "--effect-url", next.url)

	first, again := s.posts("k1", `{"order_id":"o1"}`), s.posts(`"k1"`, `{"order_id":"o1"}`)
	if first.status != http.StatusCreated || first.kind != "application/json" || first.replayed != "" || !json.Valid([]byte(first.body)) {
		t.Errorf("got %+v, want 201", first)
	}
	if again.replayed != "true" || again.body != first.body || again.status != first.status || again.kind != first.kind {
		t.Errorf("got %+v, want %+v again", again, first)
	}
	wantsProblem(t, s.posts("k1", `{"order_id":"o2"}`), http.StatusUnprocessableEntity)
	wantsProblem(t, s.posts("", "{}"), http.StatusBadRequest)
	wantsProblem(t, s.posts(`"`, "{}"), http.StatusBadRequest)
	wantsProblem(t, s.posts("k2", "refused"), http.StatusUnprocessableEntity)
	wantsProblem(t, s.posts("k3", "fails once"), http.StatusBadGateway)
	if g := s.posts("k3", "fails once"); g.status != http.StatusCreated || g.replayed != "" {
		t.Errorf("got %+v after a failure, want that it runs again", g)
	}
	checkFences(t, next.about("fails once"))
	wantsProblem(t, s.posts("k4", strings.Repeat("x", 1<<20+1)), http.StatusRequestEntityTooLarge)
	if g := s.posts("k4", strings.Repeat("x", 1<<20)); g.status != http.StatusCreated {
		t.Errorf("got %d for a body of 1 MiB", g.status)
	}
	for path, status := range map[string]int{"/orders": http.StatusMethodNotAllowed, "/": http.StatusNotFound} {
		g, err := s.do(t.Context(), http.MethodGet, path, "k1", "")
		if err != nil {
			t.Fatal(err)
		}
		wantsProblem(t, g, status)
	}

	var slow sync.WaitGroup
	slow.Go(func() {
		if g := s.posts("k5", "slow"); g.status != http.StatusCreated || g.replayed != "" {
			t.Errorf("got %+v from the slow one", g)
		}
	})
	<-began
	busy := s.posts("k5", "slow")
	wantsProblem(t, busy, http.StatusConflict)
	if n, err := strconv.Atoi(busy.after); err != nil || n < 1 || n > 31 {
		t.Errorf("got Retry-After %q, want the seconds of the lease", busy.after)
	}
	wantsProblem(t, s.posts("k5", "another"), http.StatusUnprocessableEntity)
	close(release)
	slow.Wait()
	if calls := next.about(`{"order_id":"o1"}`); len(calls) != 1 || calls[0].key == "" || calls[0].fence == 0 {
		t.Errorf("got calls %+v, want one with key and fencing number", calls)
	}
	if code := s.ends(); code != 0 || s.out.String() != "" {
		t.Errorf("got exit code %d and stdout %q", code, s.out.String())
	}
}

// The work goes on when the client leaves, and its retry has the result; a
// signal lets what runs end, and a new process has the results of the old one.
func TestHTTPEnds(t *testing.T) {
	t.Parallel()
	began, release := make(chan string, 2), make(chan struct{})
	next := newNextSystem(t, func(c call) int {
		began <- c.body
		<-release
		return http.StatusOK
	})
	store := "bolt:" + filepath.Join(t.TempDir(), "store.db")
	s := startHTTP(t, nil, "--store", store, "--effect-url", next.url)
	left, leave := context.WithCancel(t.Context())
	go s.post(left, "left", "left")
	<-began
	leave()
	stays := make(chan got, 1)
	go func() {
		g, _ := s.post(t.Context(), "stays", "stays")
		stays <- g
	}()
	<-began
	code := make(chan int, 1)
	go func() { code <- s.ends() }()
	waitFor(t, "the listener to close", func() bool { _, err := s.do(t.Context(), http.MethodGet, "/", "", ""); return err != nil })
	close(release)
	g := <-stays
	if g.status != http.StatusCreated {
		t.Errorf("got %+v, want that a request that runs is finished", g)
	}
	if c := <-code; c != 0 {
		t.Errorf("got exit code %d, want 0; it said\n%s", c, s.errs.String())
	}
	s = startHTTP(t, nil, "--store", store, "--effect-url", next.url)
	if again := s.posts("stays", "stays"); again.body != g.body || again.replayed != "true" {
		t.Errorf("got %+v, want %q again", again, g.body)
	}
	if again := s.posts("left", "left"); again.status != http.StatusCreated || again.replayed != "true" {
		t.Errorf("got %+v, want the result that the client did not wait for", again)
	}
	if n := len(next.all()); n != 2 {
		t.Errorf("got %d calls, want 2", n)
	}
}

// While the store is down nothing is done.
func TestHTTPStoreDown(t *testing.T) {
	t.Parallel()
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	endpoint, table := dynamoDB(t)
	proxy, err := awsproxy.Start(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	s := startHTTP(t, []string{"AWS_ENDPOINT_URL_DYNAMODB=" + proxy.URL()}, "--store", "dynamodb:"+table, "--effect-url", next.url)
	if g := s.posts("k", "{}"); g.status != http.StatusCreated {
		t.Fatalf("got %+v", g)
	}
	proxy.Close()
	for _, key := range []string{"k", "new"} {
		g := s.posts(key, "{}")
		wantsProblem(t, g, http.StatusServiceUnavailable)
		if g.after == "" {
			t.Errorf("got %+v, want Retry-After", g)
		}
	}
	if n := len(next.all()); n != 1 {
		t.Errorf("got %d calls, want 1", n)
	}
}

// The same requests through API Gateway, in both versions of its payload, have
// the same answers.
func TestHTTPAPIGateway(t *testing.T) {
	t.Parallel()
	next := newNextSystem(t, func(c call) int {
		if c.body == "fails" {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=apigateway", "EFFECT_URL="+next.url)
	rest := func(key, body string) any {
		return events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Path: "/orders", Headers: map[string]string{"Idempotency-Key": key}, Body: body,
			MultiValueHeaders: map[string][]string{"Idempotency-Key": {key}},
		}
	}
	v2 := func(key, body string) any {
		r := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: "/orders", Headers: map[string]string{"idempotency-key": key}, Body: body}
		r.RequestContext.HTTP.Method = "POST"
		return r
	}
	for version, event := range map[string]func(key, body string) any{"rest": rest, "v2": v2} {
		ask := func(key, body string) got {
			payload, err := json.Marshal(event(key, body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := f.Invoke(t.Context(), payload)
			if err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			var r struct {
				StatusCode        int
				Headers           map[string]string
				MultiValueHeaders map[string][]string
				Body              string
			}
			if err := json.Unmarshal(bytes.TrimSpace(response), &r); err != nil {
				t.Fatalf("%s: %v in %s", version, err, response)
			}
			header := func(name string) string { return r.Headers[name] + strings.Join(r.MultiValueHeaders[name], "") }
			return got{r.StatusCode, header("Content-Type"), r.Body, header("Idempotency-Replayed"), header("Retry-After")}
		}
		first, again := ask("k"+version, version), ask("k"+version, version)
		if first.status != http.StatusCreated || first.kind != "application/json" || again.body != first.body || again.replayed != "true" {
			t.Errorf("%s: got %+v and %+v, want 201 and its replay", version, first, again)
		}
		wantsProblem(t, ask("k"+version, "another"), http.StatusUnprocessableEntity)
		wantsProblem(t, ask("f"+version, "fails"), http.StatusBadGateway)
		wantsProblem(t, ask(" ", "{}"), http.StatusBadRequest)
		if n := len(next.about(version)); n != 1 {
			t.Errorf("%s: got %d calls, want 1", version, n)
		}
	}
}
