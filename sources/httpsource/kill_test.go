package httpsource_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// serverChild is the variable that makes the test binary the server that
// TestServerKilled kills: the file of its store.
const serverChild = "HTTPSOURCE_SERVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(serverChild); path != "" {
		fmt.Fprintln(os.Stderr, serveUntilKilled(path))
		os.Exit(1)
	}
	m.Run()
}

// serveUntilKilled serves orders that are handled once. It prints its address,
// and a line for each run of the handler. Runs of the path /slow take long in
// the process that is the first.
func serveUntilKilled(path string) error {
	store, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		return err
	}
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders", Lease: 2 * time.Second})
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives as long as the process
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	first := os.Getenv(serverChild+"_FIRST") != ""
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := dedupe.FromContext(r.Context())
		fmt.Println("run", r.URL.Path, c.Fence)
		if r.URL.Path == "/slow" && first {
			<-r.Context().Done()
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %d", r.URL.Path, c.Fence)
	})
	return http.Serve(ln, httpsource.Once(guard, h))
}

// server is a process that serves.
type server struct {
	url   string
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startServer(t *testing.T, path, first string) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), serverChild+"="+path, serverChild+"_FIRST="+first)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(s.kill)
	s.url = "http://" + s.next(t)
	return s
}

// next returns the next line that the process prints.
func (s *server) next(t *testing.T) string {
	t.Helper()
	if !s.lines.Scan() {
		t.Fatal("the server has ended:", s.lines.Err())
	}
	return s.lines.Text()
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// A server that is killed in mid-request leaves what it finished finished, and
// what it did not unfinished: the next one replays the first, refuses the
// second until its lease has passed, and then runs it with a larger fencing
// number.
func TestServerKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "requests.db")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s := startServer(t, path, "yes")
	finished := send(t.Context(), client, s.url+"/quick", "q", "{}")
	if finished.err != nil || finished.status != http.StatusCreated || finished.replayed || !strings.HasPrefix(s.next(t), "run /quick ") {
		t.Fatalf("got %+v", finished)
	}
	cut := make(chan answer, 1)
	go func() { cut <- send(t.Context(), client, s.url+"/slow", "s", "{}") }()
	_, before, _ := strings.Cut(s.next(t), "run /slow ")
	s.kill()
	if a := <-cut; a.err == nil {
		t.Fatalf("got %+v from a server that was killed", a)
	}

	s = startServer(t, path, "")
	if a := send(t.Context(), client, s.url+"/quick", "q", "{}"); a.status != http.StatusCreated || a.body != finished.body || !a.replayed {
		t.Errorf("got %+v, want %q again", a, finished.body)
	}
	a := send(t.Context(), client, s.url+"/slow", "s", "{}")
	if a.status != http.StatusConflict || a.header.Get("Retry-After") == "" {
		t.Fatalf("got %+v while the lease lasts, want 409", a)
	}
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || after < 1 || after > 4 {
		t.Fatalf("got Retry-After %q, want the seconds of the lease", a.header.Get("Retry-After"))
	}
	time.Sleep(time.Duration(after) * time.Second) // as the client is told
	a = send(t.Context(), client, s.url+"/slow", "s", "{}")
	if a.status != http.StatusCreated || a.replayed {
		t.Fatalf("got %+v after the lease, want that it runs", a)
	}
	_, fence, _ := strings.Cut(s.next(t), "run /slow ")
	if fence <= before {
		t.Errorf("got fencing numbers %s and then %s, want that they grow", before, fence)
	}
	if again := send(t.Context(), client, s.url+"/slow", "s", "{}"); again.body != a.body || !again.replayed {
		t.Errorf("got %+v, want %q again", again, a.body)
	}
}
