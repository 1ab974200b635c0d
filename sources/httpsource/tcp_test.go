package httpsource_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// answer is what a client got over TCP.
type answer struct {
	status   int
	kind     string
	body     string
	replayed bool
	header   http.Header
	err      error
}

// send posts body to a server under key.
func send(ctx context.Context, c *http.Client, url, key, body string) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := c.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(got), resp.Header.Get("Idempotency-Replayed") == "true", resp.Header, err}
}

// serve serves h on a port of the loopback interface.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// A thousand identical requests at once run the handler once. With Wait all
// get the same bytes; without it, those or 409.
func TestThousandAtOnce(t *testing.T) {
	const n = 1000
	for _, wait := range []bool{true, false} {
		t.Run(fmt.Sprint("wait=", wait), func(t *testing.T) {
			var clients sync.WaitGroup
			arrived := make(chan struct{})
			h := &orders{do: func(w http.ResponseWriter, _ *http.Request, run int) {
				<-arrived // keep it going until the twins are here
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"run":%d,"text":%q}`, run, strings.Repeat("x", 5000))
			}}
			var here atomic.Int32
			once := site(h, httpsource.Options{Wait: wait})
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if here.Add(1) == n {
					close(arrived)
				}
				once.ServeHTTP(w, r)
			}))
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
			defer client.CloseIdleConnections()
			answers := make([]answer, n)
			for i := range answers {
				clients.Go(func() { answers[i] = send(t.Context(), client, s.URL, "k", "{}") })
			}
			clients.Wait()
			last := send(t.Context(), client, s.URL, "k", "{}")
			first, conflicts := 0, 0
			for i, a := range answers {
				switch {
				case a.err != nil:
					t.Fatal(a.err)
				case a.status == http.StatusConflict && !wait:
					conflicts++
					if a.header.Get("Retry-After") == "" {
						t.Errorf("request %d: no Retry-After", i)
					}
				case a.status != http.StatusCreated || a.body != last.body || a.kind != "application/json":
					t.Fatalf("request %d: got %d, %s, %.80q", i, a.status, a.kind, a.body)
				case !a.replayed:
					first++
				}
			}
			if first != 1 || last.status != http.StatusCreated || !last.replayed {
				t.Errorf("got %d answers of the run itself and %d at last, want 1 and a replay", first, last.status)
			}
			h.wantRuns(t, 1)
			t.Logf("%d refused with 409", conflicts)
		})
	}
}

// A client whose connection was cut in mid-request gets the stored response
// when it tries again, and the handler was not cut off.
func TestCutConnection(t *testing.T) {
	running, cut, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h := &orders{}
	h.do = func(w http.ResponseWriter, r *http.Request, run int) {
		close(running)
		<-cut
		select {
		case <-r.Context().Done():
			t.Error("the handler's context ended")
		case <-time.After(50 * time.Millisecond): // the server notices the cut meanwhile
		}
		fmt.Fprint(w, "run ", run)
	}
	once := site(h)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			select {
			case <-done:
			default:
				close(done)
			}
		}()
		once.ServeHTTP(w, r)
	}))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}")
	<-running
	conn.Close()
	close(cut)
	<-done
	a := send(t.Context(), s.Client(), s.URL+"/orders", "k", "{}")
	if a.err != nil || a.status != http.StatusOK || a.body != "run 1" || !a.replayed {
		t.Errorf("got %+v, want the response of the first run", a)
	}
	h.wantRuns(t, 1)
}

// Over TCP a replay is the first response byte for byte, but for the header
// that says so and the date.
func TestReplayedBytes(t *testing.T) {
	s := serve(t, site(&orders{do: func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("ETag", `"1"`)
		for range 100 {
			fmt.Fprint(w, strings.Repeat("line\n", 100))
		}
	}}))
	raw := func() []byte {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
		b, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		var kept [][]byte
		for line := range bytes.SplitSeq(b, []byte("\r\n")) {
			if !bytes.HasPrefix(line, []byte("Date: ")) {
				kept = append(kept, line)
			}
		}
		return bytes.Join(kept, []byte("\r\n"))
	}
	first, again := raw(), raw()
	if plain := bytes.Replace(again, []byte("Idempotency-Replayed: true\r\n"), nil, 1); len(plain) == len(again) || !bytes.Equal(plain, first) {
		t.Errorf("got %.300q, want %.300q and Idempotency-Replayed", again, first)
	}
}

// A client that sends all of its large body before it reads gets the answer,
// and one that asks first sends nothing.
func TestTooLargeOverTCP(t *testing.T) {
	h := &orders{}
	s := serve(t, site(h))
	const size = 6 << 20
	for name, head := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size),
		"asks":   fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", size),
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"+head)
		if err == nil && name != "asks" {
			_, err = io.Copy(conn, io.LimitReader(zeros{}, size))
		}
		if err == nil && name == "chunks" {
			_, err = fmt.Fprint(conn, "\r\n0\r\n\r\n")
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: got %s, want 413", name, resp.Status)
		}
	}
	h.wantRuns(t, 0)
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
