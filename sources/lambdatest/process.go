package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// An invocation is on its way from Invoke to a process and back.
type invocation struct {
	id      string
	payload []byte
	timeout time.Duration
	latest  time.Time // the caller's deadline, or zero

	done  chan result // holds one result, so that nobody waits for a caller that left
	timer *time.Timer
}

type result struct {
	response []byte
	err      error
	requeue  bool // the process never got it
}

// wait returns the result, or false when the caller cancelled. A deadline is no
// reason to leave: the process has the same one, and its timer ends the wait.
func (inv *invocation) wait(ctx context.Context) (result, bool) {
	select {
	case res := <-inv.done:
		return res, true
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return <-inv.done, true
	}
	return result{}, false
}

// A process is one run of the function, with a Runtime API to itself: what
// survives it, a forgotten child perhaps, cannot reach its successor's.
type process struct {
	opts  *RuntimeOptions
	cmd   *exec.Cmd
	work  chan *invocation // from Invoke to a handler of /next
	ended chan struct{}    // closed when it takes no more work
	gone  chan struct{}    // closed when it was waited for and its invocations have failed

	server *http.Server
	conns  sync.WaitGroup

	mu       sync.Mutex
	over     bool                   // ended is closed
	asked    bool                   // it has asked for work: its initialisation is done
	running  map[string]*invocation // by request id
	initErr  *FunctionError         // what it sent to /init/error, or the missed InitTimeout
	exit     error                  // how it ended
	initTime *time.Timer
}

// startProcess starts a process and the two goroutines that end with it, which
// owner counts. It outlives ctx, which is that of the invocation that needs it.
func startProcess(ctx context.Context, opts *RuntimeOptions, generation int, owner *sync.WaitGroup) (*process, error) {
	ctx = context.WithoutCancel(ctx)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lambdatest: listen for the Runtime API: %w", err)
	}
	p := &process{
		opts:    opts,
		cmd:     exec.CommandContext(ctx, opts.Path, opts.Args...),
		work:    make(chan *invocation),
		ended:   make(chan struct{}),
		gone:    make(chan struct{}),
		running: make(map[string]*invocation),
	}
	p.cmd.Dir = opts.Dir
	p.cmd.Env = environment(opts, generation, ln.Addr().String())
	p.cmd.Stdout, p.cmd.Stderr = opts.Stdout, opts.Stderr
	p.cmd.WaitDelay = time.Second // a child of the function may hold the pipes open
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("lambdatest: start function: %w", errors.Join(err, ln.Close()))
	}
	p.server = &http.Server{Handler: p.routes(), ConnState: p.connState}
	p.initTime = time.AfterFunc(opts.InitTimeout, p.initTimeout)

	served := make(chan struct{})
	owner.Go(func() {
		defer close(served)
		_ = p.server.Serve(ln) // a process that it fails misses its deadline, which says so
	})
	owner.Go(func() {
		exit := p.cmd.Wait()
		p.failRunning(exit)
		_ = p.server.Close() // only a listener is left to close
		<-served
		p.conns.Wait()
		close(p.gone)
	})
	return p, nil
}

// connState counts connections, because Server.Close does not wait for theirs.
func (p *process) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		p.conns.Done()
	case http.StateActive, http.StateIdle: // counted since it was new
	}
}

func (p *process) kill() {
	p.end()
	_ = p.cmd.Process.Kill() // fails only when it is dead already
}

// end makes the process take no more work.
func (p *process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.over = true
		close(p.ended)
	}
}

func (p *process) isEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// admit makes inv one of the process's running invocations and starts its
// clock. It reports false when the process has ended.
func (p *process) admit(inv *invocation) (deadline time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return time.Time{}, false
	}
	deadline = time.Now().Add(inv.timeout)
	if !inv.latest.IsZero() && inv.latest.Before(deadline) {
		deadline = inv.latest
	}
	p.running[inv.id] = inv
	limit := time.Until(deadline)
	inv.timer = time.AfterFunc(limit, func() {
		if p.finish(inv.id, result{err: timeoutError(limit)}) {
			p.kill()
		}
	})
	return deadline, true
}

// finish gives the result of a running invocation to its caller. It reports
// false when the invocation is not running: unknown, answered or timed out.
func (p *process) finish(id string, res result) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	inv, ok := p.running[id]
	if !ok {
		return false
	}
	delete(p.running, id)
	inv.timer.Stop()
	if errors.Is(res.err, ErrTimeout) && !p.over {
		// In the same step, so that the caller's next invocation cannot be
		// given to a process that is about to be killed.
		p.over = true
		close(p.ended)
	}
	inv.done <- res
	return true
}

// failRunning fails what a dead process had not finished.
func (p *process) failRunning(exit error) {
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = exit
	p.initTime.Stop()
	for id, inv := range p.running {
		delete(p.running, id)
		inv.timer.Stop()
		inv.done <- result{err: exitError(id, exit)}
	}
}

// initFailure returns why a process died before it asked for work, or nil when
// it had asked. It must have gone.
func (p *process) initFailure(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.initErr != nil:
		return p.initErr
	case !p.asked:
		return exitError(id, p.exit)
	}
	return nil
}

func (p *process) initTimeout() {
	p.mu.Lock()
	late := !p.asked
	if late && p.initErr == nil {
		p.initErr = timeoutError(p.opts.InitTimeout)
		p.initErr.Message = "Init: " + p.initErr.Message
	}
	p.mu.Unlock()
	if late {
		p.kill()
	}
}

func exitError(id string, exit error) *FunctionError {
	reason := "Runtime exited without providing a reason"
	if exit != nil {
		reason = "Runtime exited with error: " + exit.Error()
	}
	return &FunctionError{Type: typeExit, Message: "RequestId: " + id + " Error: " + reason, cause: exit}
}

// environment returns the variables of "Defined runtime environment variables"
// in Lambda's guide that a function may look at. The credentials are there, as
// on AWS, and open nothing.
func environment(opts *RuntimeOptions, generation int, api string) []string {
	root := opts.Dir
	if root == "" {
		root, _ = os.Getwd()
	}
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_LAMBDA_FUNCTION_NAME=" + opts.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(opts.MemorySize),
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + opts.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=[$LATEST]" + strconv.Itoa(generation),
		"AWS_REGION=" + opts.Region,
		"AWS_DEFAULT_REGION=" + opts.Region,
		"AWS_ACCESS_KEY_ID=lambdatest",
		"AWS_SECRET_ACCESS_KEY=lambdatest",
		"AWS_SESSION_TOKEN=lambdatest",
		"LAMBDA_TASK_ROOT=" + root,
		"_HANDLER=bootstrap",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
	}
	if opts.MaxConcurrency > 1 {
		env = append(env, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(opts.MaxConcurrency))
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, opts.Env...)
}
