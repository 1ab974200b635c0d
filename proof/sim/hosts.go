package sim

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// start starts what runs on a host and returns what stops it and waits.
func (w *world) start(host int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	work := w.poll
	if w.plan.Hosts[host].Lambda {
		work = w.mapping
	}
	var running sync.WaitGroup
	running.Go(func() { work(ctx, host) })
	return func() {
		cancel()
		running.Wait()
	}
}

// poll runs a poller on a host, and another one when it ended or was killed.
func (w *world) poll(ctx context.Context, host int) {
	for ctx.Err() == nil {
		w.life(ctx, host)
		pause.For(ctx, 500*time.Millisecond)
	}
}

// life runs one poller until it ended or was killed.
func (w *world) life(ctx context.Context, host int) {
	h := w.plan.Hosts[host]
	p := w.newProcess(host)
	w.born(p)
	poller := sqssource.New(p.queue, w.url, p.guard, w.handler(p), sqssource.Options{
		Concurrency: h.Slots, AbandonPolls: h.AbandonPolls, Observer: p,
	})
	alive, leave := p.context(ctx)
	defer leave()
	alive, term := context.WithCancel(alive)
	defer term()
	for _, s := range w.plan.Stops {
		if left := ms(s.At) - w.ledger.since(); s.Host == host && left > 0 {
			timer := time.AfterFunc(left, term)
			context.AfterFunc(alive, func() { timer.Stop() })
		}
	}
	ended := make(chan struct{})
	w.all.Go(func() {
		defer close(ended)
		_, _ = poller.Run(alive) // a setup that was refused is tried again
		p.exit()
	})
	select {
	case <-ended:
	case <-p.life.Done():
	}
}

// mapping runs an event source mapping with the sandboxes of its function.
func (w *world) mapping(ctx context.Context, host int) {
	h := w.plan.Hosts[host]
	f := &fleet{w: w, host: host}
	aws := w.newProcess(host) // its side of the wire, which meets faults too
	aws.outside = true
	defer aws.exit()
	m := lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue:    aws.queue,
		QueueURL: w.url, Function: f, ReportBatchItemFailures: true, BatchSize: h.Batch, Concurrency: h.Workers,
		Timeout: ms(h.Timeout), ShortVisibility: true, Fault: w.invocationFault,
	})
	if err := m.Run(ctx); err != nil {
		w.ledger.strange("mapping: " + err.Error())
	}
	f.close()
}

func (w *world) invocationFault(int, []types.Message) (f lambdatest.Fault) {
	if w.isCalm() {
		return f
	}
	w.mu.Lock()
	one := countedOp{"lambda", ""}
	nth := w.faulted[one]
	w.faulted[one]++
	w.mu.Unlock()
	for _, i := range w.plan.Invocations {
		if i.Nth != nth {
			continue
		}
		kind := InvokedTwice
		switch i.Kind {
		case "throttle":
			f.Throttle, kind = true, Throttled
		case "drop response":
			f.DropResponse, kind = true, LostInvocation
		case "twin":
			f.Twin = true
		case "again":
			f.Again = true
		case "duplicates":
			f.DuplicateRecords = true
		}
		w.ledger.trouble(kind)
	}
	return f
}

// fleet are the sandboxes of a function: an invocation has one of its own,
// which is kept for later ones unless it died.
type fleet struct {
	w    *world
	host int

	mu   sync.Mutex
	idle []*sandbox
}

type sandbox struct {
	*process
	handler *lambdasource.BatchHandler
}

// Invoke implements [lambdatest.Invoker].
func (f *fleet) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	s := f.take()
	s.invoked.Add(1)
	type answer struct {
		response []byte
		err      error
	}
	done := make(chan answer, 1)
	late := &deadline{ledger: f.w.ledger}
	alive, leave := s.context(context.WithValue(ctx, deadlineKey{}, late))
	f.w.all.Go(func() {
		defer leave()
		invoke := lambdatest.HandlerFunc(s.handler.Invoke)
		response, err := invoke(alive, payload)
		done <- answer{response, err}
	})
	select {
	case a := <-done:
		s.invoked.Add(-1)
		f.give(s)
		return a.response, a.err
	case <-ctx.Done(): // Lambda ends the sandbox
		late.pass()
		s.kill()
	case <-s.life.Done():
	}
	return nil, errDead
}

// deadline is that of an invocation.
type deadline struct {
	ledger *ledger
	passed sync.Once
}

type deadlineKey struct{}

// pass counts it, once, be it that many handlers run meanwhile.
func (d *deadline) pass() { d.passed.Do(func() { d.ledger.trouble(PassedDeadlines) }) }

func (f *fleet) take() *sandbox {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.idle); n > 0 {
		s := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return s
	}
	p := f.w.newProcess(f.host)
	f.w.born(p)
	return &sandbox{p, lambdasource.SQS(p.guard, f.w.handler(p), lambdasource.Options{
		Concurrency: f.w.plan.Hosts[f.host].Slots, Observer: p,
	})}
}

func (f *fleet) give(s *sandbox) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !s.isDead() {
		f.idle = append(f.idle, s)
	}
}

func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.idle {
		s.exit()
	}
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }
