package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// runDemo makes the demo's world, lets it run, and judges it.
func runDemo(ctx context.Context, p process, s settings) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // who stops reading must not keep the demo from tidying up
	folder, err := os.MkdirTemp("", program+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // what is left is in the folder for temporary files
	if s.store == (storeRef{}) {
		s.store = storeRef{kind: "bolt", path: filepath.Join(folder, "store.db")}
	}
	// The worker opens the store in its own process; a mistake is told here.
	if s.store.kind == "dynamodb" {
		return usagef("the demo's worker has no way to AWS: leave --store away, or name a file with --store bolt:PATH")
	}
	_, closer, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	if err := closer.Close(); err != nil {
		return err
	}
	out := p.stdout
	if s.json {
		out = p.stderr
	}
	show := newProgress(out, s.messages, s.via, p.getenv)
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start it as the worker: %w", err)
	}
	d, err := newDemo(ctx, s, self, p.stderr)
	if err != nil {
		return err
	}
	err = d.run(ctx, show)
	show.end()
	r := d.result()
	if err == nil {
		r.print(out, s)
		if !r.good() {
			err = errLoss
		}
	}
	if s.json { // of a demo that ended early, too: what is not done is lost
		err = errors.Join(err, r.printJSON(p.stdout))
	}
	return err
}

// demo is a queue, a Lambda function and a ledger, and what happens to them.
type demo struct {
	s      settings
	luck   luck
	queue  *sqstest.Server
	ledger *ledger
	server *ledgerServer
	log    *workerLog
	way    way
	sender *producer

	sent    atomic.Bool  // by the producer, everything
	dropped atomic.Int64 // answers of batches
	acked   atomic.Int64 // messages deleted from the queue
	refused atomic.Int64 // invocations in a row whose process ended by itself
	unfit   atomic.Bool  // a process refused its settings
	began   time.Time
	took    time.Duration
}

// newDemo makes everything and starts the ledger, which run ends. self is this
// program, to be run as the worker.
func newDemo(ctx context.Context, s settings, self string, stderr io.Writer) (*demo, error) {
	d := &demo{s: s, luck: luck{s.seed, s.duplicates, s.failures}, log: &workerLog{to: stderr, from: s.logLevel}}
	d.ledger = newLedger(s.messages, d.luck, s.via == viaPoll)
	d.queue = sqstest.New(sqstest.Options{
		Seed: s.seed, Duplicate: s.duplicates / 2, Redeliver: s.duplicates / 10, Reorder: true, HistorySize: -1,
	})
	d.queue.CreateQueue(demoDeadLetters, nil)
	url := d.queue.CreateQueue(demoQueue, map[string]string{
		"VisibilityTimeout": demoVisibility,
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + d.queue.ARN(demoDeadLetters) + `","maxReceiveCount":50}`,
	})
	var err error
	d.server, err = startLedger(ctx, d.ledger, func() { d.way.kill() })
	if err != nil {
		return nil, fmt.Errorf("start the ledger: %w", err)
	}
	if s.via == viaPoll {
		if d.way, err = newPollWay(d, self); err != nil {
			d.server.close(ctx)
			return nil, fmt.Errorf("start the queue: %w", err)
		}
	} else {
		d.way = newLambdaWay(d, self, url)
	}
	d.sender = &producer{
		client: d.queue.Client(), url: url, run: strconv.FormatInt(time.Now().UnixMilli(), 36),
		orders: s.messages, luck: d.luck,
		waiting: func() int { return d.queue.Stats(demoQueue).Visible },
	}
	return d, nil
}

// workerArgs are the arguments of the worker's process.
func (d *demo) workerArgs() []string {
	s := d.s
	return []string{
		"--store", s.store.String(), "--consumer", s.consumer, "--key", s.key.text,
		"--lease", s.lease.String(), "--retain", s.retain.String(), "--concurrency", strconv.Itoa(s.concurrency),
		"--effect-url", d.server.url, "--log-level", min(s.logLevel, zapcore.InfoLevel).String(), // what is counted is told at info
	}
}

// run runs the demo until the queue is empty. Everything that it started has
// ended when it returns.
func (d *demo) run(ctx context.Context, show *progress) error {
	work, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer d.server.close(ctx)
	defer d.way.close()
	defer stop(nil)

	filled := make(chan struct{})
	d.began = time.Now()
	all.Go(func() {
		if err := d.sender.send(work, sync.OnceFunc(func() { close(filled) })); err != nil {
			stop(err)
			return
		}
		d.sent.Store(true)
	})
	all.Go(func() {
		select {
		case <-filled: // so that the first batches are full ones
		case <-work.Done():
			return
		}
		if err := d.way.run(work); err != nil {
			stop(err)
		}
	})
	err := d.watch(work, show)
	d.took = time.Since(d.began)
	return err
}

// How long the demo goes on when nothing moves any more, and how many
// processes may end by themselves in a row.
const (
	demoPatience = 15 * time.Second
	demoRefusals = 8
)

// watch shows what happens until the queue is empty, or says why that is not
// going to happen.
func (d *demo) watch(ctx context.Context, show *progress) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last status
	moved := time.Now()
	for {
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return errInterrupted
		case <-tick.C:
		}
		now := d.status()
		if show.update(now, time.Since(d.began)); show.err != nil {
			return fmt.Errorf("show progress: %w", show.err)
		}
		if d.sent.Load() && d.queue.Stats(demoQueue).Total() == 0 {
			return nil
		}
		if now.moves() != last.moves() {
			moved = time.Now()
		}
		last = now
		mistake := d.log.mistake()
		switch {
		case d.unfit.Load() && mistake != "":
			return usageError(mistake)
		case d.refused.Load() >= demoRefusals:
			return fmt.Errorf("the worker's process does not stay: %s", d.lastWords())
		case time.Since(moved) > demoPatience:
			return fmt.Errorf("nothing has moved for %v, with %d of %s done: %s",
				demoPatience, now.totals.effects, count(d.s.messages, "order", "orders"), d.lastWords())
		}
	}
}

func (d *demo) lastWords() string {
	if words := d.log.lastWords(); words != "" {
		return "the worker said " + strconv.Quote(words)
	}
	return "the worker said nothing; --log-level info shows what it does"
}

// status is what has happened so far.
type status struct {
	totals     totals
	worker     workerCounts
	deliveries int
	acked      int
	dropped    int
	crashes    int
}

// moves is a number that grows with everything that brings the demo nearer to
// its end.
func (s status) moves() int { return s.totals.effects + s.acked }

func (d *demo) status() status {
	life, _ := d.ledger.life()
	return status{
		totals: d.ledger.count(), worker: d.log.count(), crashes: int(life),
		deliveries: d.way.deliveries(),
		acked:      int(d.acked.Load()), dropped: int(d.dropped.Load()),
	}
}
