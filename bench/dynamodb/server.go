package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

// table is the name of the one table.
const table = "dedupe"

// tally is what the server has seen.
type tally struct {
	Requests  int           // since the last /forget
	Waited    time.Duration // for the round trips of these
	Busy      time.Duration // with these, but for the waiting
	Completed int           // rows in state COMPLETED
}

// played is the server: DynamoDB behind a wait, and what the benchmark asks
// of it beside.
type played struct {
	db           atomic.Pointer[ddbtest.Server]
	rtt          atomic.Int64
	waited, busy atomic.Int64
}

// serve serves until stdin ends, which it does with the parent. The first
// line of stdout is the address.
func serve(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	signal.Ignore(os.Interrupt) // Ctrl-C goes to both; the parent ends us
	runtime.GOMAXPROCS(1)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "http://%s\n", l.Addr())
	srv := &http.Server{Handler: (&played{}).handler(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	_, err = io.Copy(io.Discard, stdin)
	_ = srv.Close()
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (p *played) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", p.request)
	mux.HandleFunc("PUT /empty", p.empty)
	mux.HandleFunc("PUT /forget", func(http.ResponseWriter, *http.Request) { p.forget() })
	mux.HandleFunc("GET /tally", p.tally)
	return mux
}

// request is one of DynamoDB.
func (p *played) request(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	memhttp.Wait(r.Context(), time.Duration(p.rtt.Load()))
	served := time.Now()
	p.db.Load().Handler().ServeHTTP(w, r)
	p.waited.Add(int64(served.Sub(began)))
	p.busy.Add(int64(time.Since(served)))
}

// empty starts again with an empty table and the round trip of the query.
func (p *played) empty(w http.ResponseWriter, r *http.Request) {
	rtt, err := time.ParseDuration(r.FormValue("rtt"))
	db := ddbtest.New(ddbtest.Options{})
	if err == nil {
		err = dynamodedupe.CreateTable(r.Context(), db.Client(), table)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.db.Store(db)
	p.rtt.Store(int64(rtt))
	p.forget()
}

func (p *played) forget() {
	p.db.Load().Reset()
	p.waited.Store(0)
	p.busy.Store(0)
}

func (p *played) tally(w http.ResponseWriter, r *http.Request) {
	db := p.db.Load()
	t := tally{Requests: len(db.Requests()), Waited: time.Duration(p.waited.Load()), Busy: time.Duration(p.busy.Load())}
	t.Completed = completed(db)
	_ = json.NewEncoder(w).Encode(t)
}

// completed counts the rows that are completed.
func completed(db *ddbtest.Server) (n int) {
	for _, item := range db.Items(table) {
		if s := item["state"].S; s != nil && *s == "COMPLETED" {
			n++
		}
	}
	return n
}

// server is the parent's end of it.
type server struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

// startServer starts the program once more, as the server.
func startServer(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, serveCommand)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), s.stop())
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

// stop ends the server and waits for it.
func (s *server) stop() error {
	_ = s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server ended: %w", err)
	}
	return nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// empty gives the next turn an empty table.
func (s *server) empty(ctx context.Context, rtt time.Duration) error {
	return s.ask(ctx, http.MethodPut, "/empty?rtt="+rtt.String(), nil)
}

// forget makes the tally begin here.
func (s *server) forget(ctx context.Context) error { return s.ask(ctx, http.MethodPut, "/forget", nil) }

func (s *server) tally(ctx context.Context) (t tally, err error) {
	err = s.ask(ctx, http.MethodGet, "/tally", &t)
	return t, err
}

func (s *server) ask(ctx context.Context, method, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s of the server: %s: %s", path, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
