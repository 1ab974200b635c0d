package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// pollWay is a process that polls the demo's queue over TCP.
type pollWay struct {
	d      *demo
	self   string
	server *http.Server
	url    string // of the queue's server
	served chan struct{}

	received atomic.Int64

	mu   sync.Mutex
	cmd  *exec.Cmd     // the process
	gone chan struct{} // closed when it is gone
}

// stopTime is how long the process may take to end by itself.
const stopTime = 10 * time.Second

func newPollWay(ctx context.Context, d *demo, self string) (*pollWay, error) {
	w := &pollWay{d: d, self: self, served: make(chan struct{})}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.url = "http://" + ln.Addr().String()
	w.server = &http.Server{Handler: w.count(d.queue.Handler()), ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(w.served)
		_ = w.server.Serve(ln) // returns when it is closed
	}()
	var requests atomic.Int64
	d.queue.Fault(func(op string, req sqstest.Request) sqstest.Action {
		lost := (op == "ReceiveMessage" || op == "DeleteMessageBatch") && req.Attempt > 0 && d.luck.drops(int(requests.Add(1)))
		if lost {
			d.dropped.Add(1)
		}
		return sqstest.Action{DropResponse: lost}
	})
	return w, nil
}

// count counts what the queue answers.
func (w *pollWay) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if op != "ReceiveMessage" && op != "DeleteMessageBatch" {
			next.ServeHTTP(rw, r)
			return
		}
		copied := &copyWriter{ResponseWriter: rw}
		defer func() { // also of an answer that is lost
			var answer struct {
				Messages   []json.RawMessage
				Successful []json.RawMessage
			}
			_ = json.Unmarshal(copied.body.Bytes(), &answer)
			w.received.Add(int64(len(answer.Messages)))
			w.d.refused.Store(0)
			w.d.acked.Add(int64(len(answer.Successful)))
		}()
		next.ServeHTTP(copied, r)
	})
}

// copyWriter keeps what is written.
type copyWriter struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write writes and keeps.
func (c *copyWriter) Write(b []byte) (int, error) {
	c.body.Write(b)
	return c.ResponseWriter.Write(b)
}

// run keeps a process polling until ctx ends.
func (w *pollWay) run(ctx context.Context) error {
	for ctx.Err() == nil {
		cmd, gone, err := w.start(ctx)
		if err != nil {
			return err
		}
		select {
		case <-gone:
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-gone:
			case <-time.After(stopTime):
				w.kill()
			}
			return nil
		}
		if cmd.ProcessState.Exited() { // by itself: nobody killed it
			w.d.refused.Add(1)
			if cmd.ProcessState.ExitCode() == exitUsage {
				w.d.unfit.Store(true)
			}
			pause.For(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// start starts the process.
func (w *pollWay) start(ctx context.Context) (*exec.Cmd, <-chan struct{}, error) {
	args := append([]string{"poll", "--queue-url", w.url + "/000000000000/" + demoQueue, "--abandon-polls"}, w.d.workerArgs()...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), w.self, args...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_SQS="+w.url, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=demo", "AWS_SECRET_ACCESS_KEY=demo", "AWS_SESSION_TOKEN=")
	cmd.Stderr = w.d.log
	gone := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	w.cmd, w.gone = cmd, gone
	go func() {
		defer close(gone)
		_ = cmd.Wait() // its state says the rest
	}()
	return cmd, gone, nil
}

// kill ends the process as a power cut would, and waits until it is gone.
func (w *pollWay) kill() {
	w.mu.Lock()
	cmd, gone := w.cmd, w.gone
	w.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
		<-gone
	}
}

func (w *pollWay) close() {
	w.kill()
	_ = w.server.Close()
	<-w.served
}

func (w *pollWay) deliveries() int { return int(w.received.Load()) }
