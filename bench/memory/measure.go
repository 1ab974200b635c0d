package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
)

const (
	pollCommand   = "poll"
	settleTimeout = time.Minute // of what was handed out, at the end
)

// measure does one run, prints what the poller's process held and returns the most that was resident.
func (t task) measure(ctx context.Context, stdout io.Writer) (peak float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := loadserver.New(0, t.Body)
	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(lis) // that it was closed, or the poller gets no answer
	}()
	defer func() {
		_ = web.Close()
		<-served
	}()
	t.URL = "http://" + lis.Addr().String()
	text, err := json.Marshal(t)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, pollCommand, string(text)) //nolint:gosec // this very program
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // the poller ends when this is closed, also by our own end
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		t.feed(ctx, server)
		_ = in.Close()
	}()
	peak, err = t.samples(out, stdout)
	cancelled := ctx.Err()
	if werr := cmd.Wait(); err == nil {
		err = errors.Join(cancelled, werr)
	}
	c := server.Counts()
	if err == nil && (c.Deleted != c.Given || c.Given < t.Messages || c.DeletedAgain+c.Unknown > 0) {
		err = fmt.Errorf("not every message was deleted once: %+v", c)
	}
	return peak, err
}

// feed hands messages out until there were enough, and waits until they are deleted.
func (t task) feed(ctx context.Context, server *loadserver.Server) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for server.Counts().Given < t.Messages && ctx.Err() == nil {
		<-tick.C
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	server.Stop(ctx)
}

// sample is what the poller's process held at one moment.
type sample struct {
	Handled   int
	Seconds   float64 // since the start
	Live      float64 // MiB of heap, after a collection
	Anonymous float64 // MiB resident, its own
	Resident  float64 // with pages of files
	Peak      float64
	File      float64 // MiB of the store's
}

// samples prints what the poller's process says and returns its peak.
func (t task) samples(in io.Reader, stdout io.Writer) (peak float64, err error) {
	fmt.Fprintf(stdout, "\n%-10s  %9s  %7s  %6s  %9s  %9s  %6s  %6s\n", t.Dedupe, "messages", "seconds", "live", "resident", "+ files", "most", "file")
	for dec := json.NewDecoder(in); ; {
		var s sample
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return peak, nil
		} else if err != nil {
			return peak, err
		}
		fmt.Fprintf(stdout, "%-10s  %9d  %7.1f  %6.1f  %9.1f  %9.1f  %6.1f  %6.1f\n", "", s.Handled, s.Seconds, s.Live, s.Anonymous, s.Resident, s.Peak, s.File)
		peak = s.Peak
	}
}
