package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// RuntimeOptions configures a [Runtime].
type RuntimeOptions struct {
	// Path is the compiled function, as deployed under the name bootstrap. Required.
	Path string

	// Args are its arguments; Lambda gives none. Defaults to none.
	Args []string

	// Dir is its working directory. Defaults to the test's.
	Dir string

	// Env is added to the variables that Lambda sets, as KEY=value, and wins
	// over them. Of the test's own environment the process gets PATH, HOME and
	// the folder for temporary files only. Defaults to none.
	Env []string

	// Name is the function's name. Defaults to "function".
	Name string

	// Region is where it runs. Defaults to us-east-1.
	Region string

	// MemorySize is its memory in MB, which is told and not enforced. Defaults
	// to 128.
	MemorySize int

	// MaxConcurrency is how many invocations one process runs at once. Above 1
	// the process is told so by AWS_LAMBDA_MAX_CONCURRENCY. Defaults to 1.
	MaxConcurrency int

	// Timeout is the function's timeout, counted from the moment when the
	// process takes an invocation; a nearer deadline of the caller's context
	// wins. Defaults to 3 seconds.
	Timeout time.Duration

	// InitTimeout is how long a new process may take until it asks for work.
	// Defaults to 10 seconds.
	InitTimeout time.Duration

	// Stdout and Stderr receive the process's output, one write at a time; it
	// is complete after Close. Default to discarding it.
	Stdout, Stderr io.Writer
}

// A Runtime is an execution environment of Lambda: it runs a compiled function
// as a process that takes its invocations from a Runtime API on 127.0.0.1. It
// is an [Invoker].
//
// The process is started by the first invocation and runs until it crashes,
// exits, misses a deadline or is killed. Its invocations then fail at once, and
// the next invocation starts a new process. Make a Runtime with [NewRuntime],
// and Close it.
type Runtime struct {
	opts  RuntimeOptions
	procs sync.WaitGroup

	mu     sync.Mutex
	proc   *process // the latest, nil before the first
	starts int
	closed bool
}

// NewRuntime returns a runtime that has not started its process. It panics when
// a required option is missing or a number is negative.
func NewRuntime(opts RuntimeOptions) *Runtime {
	if opts.Path == "" {
		panic("lambdatest: RuntimeOptions.Path is required")
	}
	if opts.MaxConcurrency < 0 || opts.MemorySize < 0 || opts.Timeout < 0 || opts.InitTimeout < 0 {
		panic("lambdatest: negative value in RuntimeOptions")
	}
	if opts.Name == "" {
		opts.Name = defaultName
	}
	if opts.Region == "" {
		opts.Region = defaultRegion
	}
	if opts.MemorySize == 0 {
		opts.MemorySize = 128
	}
	if opts.MaxConcurrency == 0 {
		opts.MaxConcurrency = 1
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.InitTimeout == 0 {
		opts.InitTimeout = 10 * time.Second
	}
	output := new(sync.Mutex)
	opts.Stdout, opts.Stderr = share(output, opts.Stdout), share(output, opts.Stderr)
	return &Runtime{opts: opts}
}

// Invoke gives payload to the next free slot of the process and waits for the
// answer. A failure of the function is a [FunctionError]; one that missed its
// deadline is also [ErrTimeout], and its process has been killed, with whatever
// else ran in it. An invocation whose process died fails as Runtime.ExitError.
//
// When ctx is cancelled Invoke returns, but an invocation that has begun runs
// on to its end or its deadline, as it does on AWS.
func (r *Runtime) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("lambdatest: payload of %d bytes exceeds the %d of an invocation", len(payload), maxPayload)
	}
	inv := &invocation{id: newID(), payload: payload, timeout: r.opts.Timeout, done: make(chan result, 1)}
	inv.latest, _ = ctx.Deadline()
	for {
		p, err := r.current(ctx)
		if err != nil {
			return nil, err
		}
		select {
		case p.work <- inv:
		case <-p.ended:
			<-p.gone
			if err := p.initFailure(inv.id); err != nil && !r.isClosed() {
				return nil, err
			}
			continue // it had asked for work and died idle, or was killed: AWS starts another
		case <-ctx.Done():
			return nil, waitFailure(ctx)
		}
		res, ok := inv.wait(ctx)
		if !ok {
			return nil, ctx.Err()
		}
		if res.requeue {
			continue
		}
		if res.err != nil && r.isClosed() {
			return nil, errors.Join(ErrClosed, res.err)
		}
		return res.response, res.err
	}
}

// waitFailure says why an invocation ended that no process had taken.
func waitFailure(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &FunctionError{Type: typeTimeout, Message: "no free slot before the deadline", cause: ErrTimeout}
	}
	return ctx.Err()
}

// Kill ends the running process with SIGKILL, if there is one, and returns when
// it is gone and its invocations have failed.
func (r *Runtime) Kill() {
	r.mu.Lock()
	p := r.proc
	r.mu.Unlock()
	if p != nil {
		p.kill()
		<-p.gone
	}
}

// Starts returns how many processes have been started.
func (r *Runtime) Starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

// Close kills the process and returns when nothing of the runtime is left.
// Running and later invocations fail with [ErrClosed].
func (r *Runtime) Close() {
	r.mu.Lock()
	r.closed = true
	p := r.proc
	r.mu.Unlock()
	if p != nil {
		p.kill()
	}
	r.procs.Wait()
}

func (r *Runtime) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// current returns the process that takes invocations, a new one if the last has
// ended.
func (r *Runtime) current(ctx context.Context) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if r.proc != nil && !r.proc.isEnded() {
		return r.proc, nil
	}
	p, err := startProcess(ctx, &r.opts, r.starts, &r.procs)
	if err != nil {
		return nil, err
	}
	r.proc = p
	r.starts++
	return p, nil
}

// share lets the writers behind one mutex be used by several processes at once:
// a dying one may still be heard while its successor starts. Files need no help.
func share(mu *sync.Mutex, w io.Writer) io.Writer {
	if _, file := w.(*os.File); w == nil || file {
		return w
	}
	return lockedWriter{mu, w}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
