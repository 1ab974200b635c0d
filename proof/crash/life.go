package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
	"github.com/onlyonce-go/onlyonce/internal/memhttp"
	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// life is one process of the worker with all that it can reach: nothing that
// it sent arrives once the life is over.
type life struct {
	b      *bed
	number int
	plan   plan
	struck sync.Once
	met    atomic.Bool   // it was killed at its point
	doomed chan struct{} // closed when it is killed
	reqs   atomic.Int32  // that are of its point
	calls  atomic.Int32

	effects *http.Server
	served  chan struct{}
	proxies []*awsproxy.Proxy
	output  *os.File

	cmd     *exec.Cmd // poll
	exited  chan struct{}
	runtime *lambdatest.Runtime // lambda
	cancel  context.CancelFunc
	mapped  chan error
}

// effectTime is how long an effect takes: long enough for what happens at the
// same time to meet.
const effectTime = 3 * time.Millisecond

// live starts the worker's next life.
func (b *bed) live(ctx context.Context, p plan) (l *life, err error) {
	b.lives++
	l = &life{b: b, number: b.lives, plan: p, doomed: make(chan struct{}), served: make(chan struct{}), exited: make(chan struct{})}
	if l.output, err = os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, l.output.Close())
	}
	l.effects = &http.Server{Handler: http.HandlerFunc(l.effect), ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(l.served)
		_ = l.effects.Serve(ln) // returns when it is shut down
	}()
	args := []string{
		"--store", b.storeName, "--consumer", consumerName, "--key", keyPointer, "--lease", leaseTime.String(),
		"--concurrency", strconv.Itoa(slots), "--effect-url", "http://" + ln.Addr().String() + "/", "--log-level", "error",
	}
	env := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	for name, target := range map[string]string{"DYNAMODB": b.dynamoURL, "SQS": b.queueServer} {
		if target == "" {
			continue
		}
		proxy, err := awsproxy.Start(target) //nolint:contextcheck // it lives until it is closed
		if err != nil {
			return nil, errors.Join(err, l.bury(ctx))
		}
		proxy.Fault(l.request)
		l.proxies = append(l.proxies, proxy)
		env = append(env, "AWS_ENDPOINT_URL_"+name+"="+proxy.URL())
	}
	if b.o.way == viaLambda {
		l.invoke(ctx, args, env)
		return l, nil
	}
	l.cmd = exec.CommandContext(context.WithoutCancel(ctx), b.o.worker,
		append([]string{"poll", "--queue-url", b.queueURL, "--abandon-polls"}, args...)...)
	l.cmd.Env = append(os.Environ(), env...)
	l.cmd.Stderr = l.output
	if err := l.cmd.Start(); err != nil {
		l.cmd = nil
		return nil, errors.Join(err, l.bury(ctx))
	}
	go func() {
		defer close(l.exited)
		_ = l.cmd.Wait() // its state tells
	}()
	return l, nil
}

// invoke makes the worker a function that an event source mapping calls.
func (l *life) invoke(ctx context.Context, args, env []string) {
	l.runtime = lambdatest.NewRuntime(lambdatest.RuntimeOptions{
		Path: l.b.o.worker, Args: append([]string{"lambda"}, args...), Env: env,
		MaxConcurrency: invocations, Timeout: visibility, InitTimeout: time.Minute, Stderr: l.output,
	})
	mapping := lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue: l.b.queue.Client(), QueueURL: l.b.queueURL, Function: l.runtime,
		ReportBatchItemFailures: true, Concurrency: invocations, Timeout: visibility,
	})
	ctx, l.cancel = context.WithCancel(ctx)
	l.mapped = make(chan error, 1)
	go func() { l.mapped <- mapping.Run(ctx) }()
}

// strike kills the worker, the first time it is called, and returns when it is
// gone.
func (l *life) strike(met bool) {
	l.struck.Do(func() {
		l.met.Store(met)
		if l.runtime != nil {
			l.cancel()
			l.runtime.Close()
		} else {
			_ = l.cmd.Process.Kill() // fails only when it is dead already
			<-l.exited
		}
		close(l.doomed)
	})
	<-l.doomed
}

// request lets the worker die of one of its requests.
func (l *life) request(r awsproxy.Request) awsproxy.Action {
	before, after := pointsOf(r)
	at := l.plan.point
	if at == "" || at != before && at != after || l.reqs.Add(1) != int32(l.plan.n) {
		return awsproxy.Action{}
	}
	if at == before {
		l.strike(true)
		return awsproxy.Action{DropRequest: true}
	}
	return awsproxy.Action{Late: true, Exchange: func(body []byte, forward func([]byte) ([]byte, error)) ([]byte, error) {
		b, err := forward(body)
		l.strike(true)
		return b, err
	}}
}

// effect is the next system: it takes one call.
func (l *life) effect(w http.ResponseWriter, r *http.Request) {
	fence, err := strconv.ParseInt(r.Header.Get("Fencing-Token"), 10, 64)
	if err != nil {
		l.b.ledger.found("a call without a fencing number: %v", err)
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler) // its sender is dead
	}
	memhttp.Wait(context.WithoutCancel(r.Context()), effectTime)
	deadly := int(l.calls.Add(1)) == l.plan.n
	if deadly && l.plan.point == beforeEffect {
		l.strike(true)
		panic(http.ErrAbortHandler)
	}
	l.b.ledger.effect(dedupe.Key(r.Header.Get("Idempotency-Key")), fence, l.number)
	if deadly && l.plan.point == afterEffect {
		l.strike(true)
		panic(http.ErrAbortHandler)
	}
}

// stop ends the worker as one should.
func (l *life) stop(ctx context.Context) error {
	if l.runtime != nil {
		l.strike(false) // an idle function knows no other end
		return nil
	}
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-l.exited:
	case <-ctx.Done():
		l.strike(false)
		return context.Cause(ctx)
	}
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the worker ended with exit code %d", code)
	}
	return nil
}

// buryTime bounds how long what the worker sent may be on its way.
const buryTime = 20 * time.Second

// bury waits until nothing that the worker sent is on its way.
func (l *life) bury(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), buryTime)
	defer cancel()
	var errs []error
	if l.mapped != nil {
		if err := <-l.mapped; !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	for _, p := range l.proxies {
		errs = append(errs, p.Close())
	}
	errs = append(errs, l.effects.Shutdown(ctx))
	<-l.served
	return errors.Join(append(errs, l.output.Close())...)
}
