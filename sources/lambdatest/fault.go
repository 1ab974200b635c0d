package lambdatest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// A Fault is what goes wrong around one invocation without any fault of the
// function. The zero Fault is an invocation as it should be.
type Fault struct {
	// Throttle refuses the invocation: the function does not run, the batch
	// fails with [ErrThrottled], and its messages have been received once more.
	Throttle bool

	// DropResponse loses the answer of a function that ran: the batch fails
	// with [ErrResponseLost].
	DropResponse bool

	// Twin invokes the function a second time at the same moment with the same
	// payload. The answer of the twin is ignored.
	Twin bool

	// Again invokes the function a second time with the same payload when the
	// first invocation has ended. Its answer is ignored.
	Again bool

	// DuplicateRecords puts every message into the batch twice. AWS would give
	// the copies different receipt handles; these share the one that there is.
	DuplicateRecords bool
}

// A caller invokes a function under a deadline of its own.
type caller struct {
	function Invoker
	timeout  time.Duration

	// running counts the invocations. Whoever made the caller waits for it,
	// which may be long after call returned: a function in this process
	// outlives its deadline when it ignores its context.
	running *sync.WaitGroup
	count   func() // called once for each invocation
}

// call returns the answer of one invocation, spoiled as fault says. The end of
// ctx does not end the function: AWS has no way to call an invocation off.
func (c caller) call(ctx context.Context, payload []byte, fault Fault) ([]byte, error) {
	if fault.Throttle {
		return nil, ErrThrottled
	}
	if fault.Twin {
		c.start(ctx, payload)
	}
	response, err := c.wait(c.start(ctx, payload))
	if fault.Again {
		_, _ = c.wait(c.start(ctx, payload)) // the answer that counts is there already
	}
	if fault.DropResponse {
		return response, ErrResponseLost
	}
	return response, err
}

// An attempt is one invocation under way.
type attempt struct {
	deadline <-chan struct{} // closed at the deadline, or when the answer is there
	answer   chan answer
}

type answer struct {
	response []byte
	err      error
}

func (c caller) start(ctx context.Context, payload []byte) attempt {
	c.count()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	a := attempt{deadline: ctx.Done(), answer: make(chan answer, 1)}
	c.running.Go(func() {
		defer cancel()
		// A copy, so that a function that changes its payload harms only itself.
		response, err := c.function.Invoke(ctx, bytes.Clone(payload))
		if ctx.Err() != nil {
			err = c.late(err)
		}
		if err != nil {
			response = nil
		}
		a.answer <- answer{response, err}
	})
	return a
}

func (c caller) wait(a attempt) ([]byte, error) {
	select {
	case got := <-a.answer:
		return got.response, got.err
	case <-a.deadline:
	}
	// The invocation cancels its context after it answered, so an answer that
	// is there now was in time or says itself that it was late.
	select {
	case got := <-a.answer:
		return got.response, got.err
	default:
		return nil, c.late(nil)
	}
}

// late makes a timeout of any answer that came after the deadline.
func (c caller) late(err error) error {
	if errors.Is(err, ErrTimeout) {
		return err
	}
	return timeoutError(c.timeout)
}
