package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// shortRetention is that of memory-10s: rows are forgotten as fast as new ones come.
const shortRetention = 10 * time.Second

// pollMain is the poller's process: it prints samples until stdin ends.
func pollMain(ctx context.Context, text string, stdin io.Reader, stdout io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "memory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	file := filepath.Join(dir, "dedupe.db")
	guard, closed, err := t.guard(file)
	if err != nil {
		return err
	}
	defer closed()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	marks := make(chan int, 8)
	var handled atomic.Int64
	h := consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		if t.Handler > 0 {
			select {
			case <-time.After(t.Handler):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		switch n := int(handled.Add(1)); n {
		case t.Messages / 100, t.Messages / 10, t.Messages / 2, t.Messages:
			marks <- n
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() {
		o := sqssource.Options{Concurrency: t.Slots, AbandonPolls: true}
		report, err := sqssource.New(newClient(t.URL), t.URL+loadserver.QueuePath, guard, h, o).Run(ctx)
		if err == nil && report.Received != report.Done {
			err = fmt.Errorf("not every message was handled and deleted: %+v", report)
		}
		ended <- err
	}()
	over := make(chan struct{})
	go func() { defer close(over); _, _ = io.Copy(io.Discard, stdin) }()
	out := json.NewEncoder(stdout)
	for {
		select {
		case n := <-marks:
			if err := out.Encode(sampleNow(n, time.Since(began), file)); err != nil {
				return err
			}
			continue
		case err := <-ended:
			return errors.Join(errors.New("the poller ended by itself"), err)
		case <-over:
		}
		cancel()
		err := <-ended
		if err == nil {
			err = out.Encode(sampleNow(int(handled.Load()), time.Since(began), file))
		}
		return err
	}
}

// guard returns the guard of a task, nil without one, and what ends its store.
func (t task) guard(file string) (*dedupe.Guard, func(), error) {
	o := dedupe.Options{Consumer: "memory"}
	switch t.Dedupe {
	case "none":
		return nil, func() {}, nil
	case "memory-10s":
		o.Retention = shortRetention
		return dedupe.New(memdedupe.New(), o), func() {}, nil
	case "memory":
		return dedupe.New(memdedupe.New(), o), func() {}, nil
	case "bolt":
		store, err := boltdedupe.Open(file, boltdedupe.Options{})
		if err != nil {
			return nil, nil, err
		}
		return dedupe.New(store, o), func() { _ = store.Close() }, nil
	}
	return nil, nil, fmt.Errorf("there is no %q: see --help", t.Dedupe)
}

// sampleNow says what this process holds, as far as the system tells (Linux does).
func sampleNow(handled int, since time.Duration, file string) sample {
	s := sample{Handled: handled, Seconds: since.Seconds()}
	text, _ := os.ReadFile("/proc/self/status")
	s.Anonymous, s.Resident, s.Peak = field(text, "RssAnon:"), field(text, "VmRSS:"), field(text, "VmHWM:")
	if info, err := os.Stat(file); err == nil {
		s.File = float64(info.Size()) / (1 << 20)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Live = float64(m.HeapAlloc) / (1 << 20)
	return s
}

// field reads a figure in MiB.
func field(text []byte, name string) float64 {
	_, after, _ := strings.Cut(string(text), name)
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return 0
	}
	return kib / 1024
}

func newClient(url string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: sqssource.HTTPClient(),
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
		})),
	})
}
