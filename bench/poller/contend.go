package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

const contendCommand = "contend"

// order of one run, from the parent to the process that does it.
type task struct {
	Contender    contender
	Cell         cell
	URL          string // of the load server
	WarmUp, Time time.Duration
	Profile      string // file
}

// outcome is what one run came to. What is per message is per message that was deleted while it was measured.
type outcome struct {
	Contender contender
	Cell      cell
	Round     int

	Rate     float64 // messages per second
	CPU      float64 // microseconds per message, user and system, of the consumer's process
	Requests float64 // per message
	Receives float64 // per message
	Deletes  float64 // requests that delete, per message
	Allocs   float64 // objects on the heap, per message
	Bytes    float64 // on the heap, per message
	Starved  float64 // part of the time in which the consumer's process waited for a core that others used
	Server   float64 // part of a core that the load server used
	InFlight int     // messages received and not deleted, at most
	PeakMiB  float64 // of the consumer's process
	Messages int     // in the whole run, each handled once and deleted once
}

// consume runs a consumer until ctx ends: it receives messages with client, calls handle for each and deletes it.
type consume func(ctx context.Context, client *sqs.Client, url string, handle func(context.Context)) error

// contendMain is the process of one consumer: it does a task and prints the outcome.
func contendMain(ctx context.Context, text string, stdout io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	f, done, err := consumerOf(t.Contender, t.Cell.Handler)
	if err != nil {
		return err
	}
	defer done()
	out, err := t.do(ctx, f)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(out)
}

// do measures f on the load server. It fails unless every message was handled and deleted once: doing nothing is no
// way to be fast.
func (t task) do(ctx context.Context, f consume) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var handled atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- f(ctx, newClient(t.URL), t.URL+loadserver.QueuePath, func(ctx context.Context) {
			if t.Cell.Handler > 0 {
				pause.For(ctx, t.Cell.Handler)
			}
			handled.Add(1)
		})
	}()
	first, last, err := t.window(ctx, ended)
	if err != nil {
		return outcome{}, err
	}
	end, err := control(ctx, t.URL+stopPath)
	if err != nil {
		return outcome{}, err
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return outcome{}, err
	}
	if err := check(end.Counts, int(handled.Load())); err != nil {
		return outcome{}, err
	}
	return t.outcome(first, last, end), nil
}

// sample is what has been seen up to a moment.
type sample struct {
	Counts    loadserver.Counts
	At        time.Duration // since the server's start
	ServerCPU time.Duration
	own       usage // of this process
}

// usage is what a process has used.
type usage struct {
	CPU     time.Duration // user and system
	Starved time.Duration // ready, but without a core
	PeakMiB float64
	Allocs  int // objects on the heap, since the start
	Bytes   int // on the heap, since the start
}

// usedWithHeap is used, with what the process has allocated.
func usedWithHeap() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := used()
	u.Allocs, u.Bytes = int(m.Mallocs), int(m.TotalAlloc) //nolint:gosec // far from the limits of int
	return u
}

// mostWindows is how often a run is measured longer because nothing was deleted.
const mostWindows = 10

// window waits for the warm-up, then takes a sample before and after the time that is measured.
func (t task) window(ctx context.Context, ended <-chan error) (first, last sample, err error) {
	if first, err = t.sampleAfter(ctx, t.WarmUp, ended); err != nil {
		return first, last, err
	}
	stop, err := profile(t.Profile)
	if err != nil {
		return first, last, err
	}
	defer stop()
	for range mostWindows {
		last, err = t.sampleAfter(ctx, t.Time, ended)
		if err != nil || last.Counts.Deleted > first.Counts.Deleted {
			return first, last, err
		}
	}
	return first, last, errors.New("it deleted nothing while it was measured")
}

// sampleAfter waits, then tells what has been seen.
func (t task) sampleAfter(ctx context.Context, d time.Duration, ended <-chan error) (sample, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case err := <-ended:
		return sample{}, fmt.Errorf("the consumer ended by itself: %w", err)
	}
	s, err := control(ctx, t.URL+countsPath)
	s.own = usedWithHeap()
	return s, err
}

// profile writes a CPU profile, if it has a name, until stop is called.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file) //nolint:gosec // the caller's choice
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

// check tells whether the work was done.
func check(c loadserver.Counts, handled int) error {
	switch {
	case c.Deleted != c.Given:
		return fmt.Errorf("%d messages were handed out and %d were deleted", c.Given, c.Deleted)
	case c.DeletedAgain > 0 || c.Unknown > 0:
		return fmt.Errorf("%d messages were deleted again and %d that were never handed out", c.DeletedAgain, c.Unknown)
	case handled != c.Given:
		return fmt.Errorf("%d messages were handed out and %d handled", c.Given, handled)
	}
	return nil
}

func (t task) outcome(first, last, end sample) outcome {
	n := float64(last.Counts.Deleted - first.Counts.Deleted)
	took := last.At - first.At
	return outcome{
		Contender: t.Contender, Cell: t.Cell,
		Rate:     n / took.Seconds(),
		CPU:      float64((last.own.CPU - first.own.CPU).Microseconds()) / n,
		Requests: float64(last.Counts.Requests-first.Counts.Requests) / n,
		Receives: float64(last.Counts.Receives-first.Counts.Receives) / n,
		Deletes:  float64(last.Counts.Deletes-first.Counts.Deletes) / n,
		Allocs:   float64(last.own.Allocs-first.own.Allocs) / n,
		Bytes:    float64(last.own.Bytes-first.own.Bytes) / n,
		Starved:  (last.own.Starved - first.own.Starved).Seconds() / took.Seconds(),
		Server:   (last.ServerCPU - first.ServerCPU).Seconds() / took.Seconds(),
		InFlight: end.Counts.MostInFlight, PeakMiB: used().PeakMiB, Messages: end.Counts.Given,
	}
}

// newClient returns the client that all consumers use.
func newClient(url string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: sqssource.HTTPClient(),
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
		})),
	})
}

// control asks the load server for its counts.
func control(ctx context.Context, url string) (sample, error) {
	var s sample
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	err = json.NewDecoder(resp.Body).Decode(&s)
	return s, err
}
