package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
)

const (
	serveCommand = "serve"
	countsPath   = "/counts"
	stopPath     = "/stop"

	settleTimeout = 20 * time.Second // of the messages in flight, at the end of a run
	runTimeout    = time.Minute      // of what is not measured
)

// load is what the load server's process is told.
type load struct {
	RTT  time.Duration
	Body int
}

// measure does one run: a load server and a consumer, each in its own process.
func (s settings) measure(ctx context.Context, round int, c cell, who contender) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.warmUp+s.time+runTimeout)
	defer cancel()
	server := command(ctx, 0, serveCommand, load{c.RTT, s.body})
	in, err := server.StdinPipe() // it ends when this is closed, also by our own end
	if err != nil {
		return outcome{}, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return outcome{}, err
	}
	if err := server.Start(); err != nil {
		return outcome{}, err
	}
	defer func() { _ = in.Close(); _ = server.Wait() }()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return outcome{}, fmt.Errorf("the load server did not start: %w", err)
	}
	t := task{Contender: who, Cell: c, URL: strings.TrimSpace(url), WarmUp: s.warmUp, Time: s.time}
	if s.profile != "" {
		name := strings.NewReplacer("/", "-").Replace(fmt.Sprintf("%v-%v-%d.pprof", c, who, round+1))
		t.Profile = filepath.Join(s.profile, name)
	}
	client := command(ctx, 1, contendCommand, t)
	var result, complaint bytes.Buffer
	client.Stdout, client.Stderr = &result, &complaint
	if err := client.Run(); err != nil {
		return outcome{}, errors.New(strings.TrimSpace(complaint.String() + " " + err.Error()))
	}
	o := outcome{}
	err = json.Unmarshal(result.Bytes(), &o)
	o.Round = round + 1
	return o, err
}

// command runs a part of this program on a core of its own, if it can. Interrupts reach it through its parent.
func command(ctx context.Context, core int, name string, arg any) *exec.Cmd {
	text, err := json.Marshal(arg)
	if err != nil {
		panic(err) // it has no values that JSON does not have
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	args := []string{self, name, string(text)}
	if taskset := pinning(); taskset != "" {
		args = append([]string{taskset, "-c", strconv.Itoa(core)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // this very program
	cmd.Stderr = os.Stderr
	return cmd
}

// pinning returns the program that keeps a process on a core, or nothing where that is not possible.
func pinning() string {
	path, err := exec.LookPath("taskset")
	if err != nil || runtime.NumCPU() < 2 {
		return ""
	}
	return path
}

// serveMain is the process of the load server: it prints its URL and serves until stdin ends.
func serveMain(ctx context.Context, text string, stdin io.Reader, stdout io.Writer) error {
	var l load
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return err
	}
	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: handler(loadserver.New(l.RTT, l.Body)), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- web.Serve(lis) }()
	fmt.Fprintf(stdout, "http://%v\n", lis.Addr())
	_, _ = io.Copy(io.Discard, stdin)
	_ = web.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler serves the queue, and beside it what the one who measures asks.
func handler(s *loadserver.Server) http.Handler {
	began := time.Now()
	tell := func(w http.ResponseWriter) {
		_ = json.NewEncoder(w).Encode(sample{Counts: s.Counts(), At: time.Since(began), ServerCPU: used().CPU})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case countsPath:
			tell(w)
		case stopPath:
			ctx, cancel := context.WithTimeout(req.Context(), settleTimeout)
			defer cancel()
			s.Stop(ctx)
			tell(w)
		default:
			s.ServeHTTP(w, req)
		}
	})
}
