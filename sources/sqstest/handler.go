package sqstest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

// maxRequest bounds the bytes of a request: the 1 MiB of a batch, every
// character escaped, and room for the rest.
const maxRequest = 16 << 20

// call is one request on its way through the server.
type call struct {
	*Server
	op     string
	host   string
	name   string // of the queue in the request, if there is one
	action Action
	// now is the time of the current try.
	now time.Time
	// queue is the queue that the request names, nil when it names none.
	queue *queue
	// ids are the messages the request concerned, for the history.
	ids []string
	// deadline is the end of a long poll.
	deadline time.Time
	// wake and until are set by an operation that is to be tried again when
	// wake closes, and at until at the latest.
	wake  <-chan struct{}
	until time.Time
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("x-amzn-RequestId", s.requestID())

	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		newError("SerializationException", "The request could not be read: "+err.Error()).write(w)
		return
	}
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	in := newInput(op)
	if !ok || in == nil {
		newError("UnknownOperationException", "The operation is not known: "+r.Header.Get("X-Amz-Target")).write(w)
		return
	}
	if err := json.Unmarshal(raw, in); err != nil {
		newError("SerializationException", err.Error()).write(w)
		return
	}

	req := describe(in, raw, r.Header)
	c := &call{Server: s, op: op, host: "http://" + r.Host, name: req.Queue, action: s.actionFor(op, req)}
	out, fail := c.run(r.Context(), in)
	if fail != nil {
		fail.write(w)
		return
	}
	writeAnswer(w, out, c.action)
}

// run applies the request with its faults. It breaks the connection by panic
// with [http.ErrAbortHandler], the one way net/http has for it.
func (c *call) run(ctx context.Context, in input) (any, *Error) {
	memhttp.Wait(ctx, c.action.Delay)
	if c.action.DropRequest {
		panic(http.ErrAbortHandler)
	}
	out, err := c.apply(ctx, in)
	memhttp.Wait(ctx, c.action.DelayResponse)
	if c.action.DropResponse {
		panic(http.ErrAbortHandler)
	}
	return out, err
}

// apply tries the operation until it has an answer. A client that is gone
// takes no message with it: each try looks at the context first.
func (c *call) apply(ctx context.Context, in input) (any, *Error) {
	for {
		if ctx.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		out, err := c.try(in)
		if c.wake == nil {
			return out, err
		}
		t := time.NewTimer(c.until.Sub(c.now))
		select {
		case <-c.wake:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

func (c *call) try(in input) (out any, err *Error) {
	c.now = c.lock()
	defer c.mu.Unlock()
	c.wake, c.ids = nil, nil

	err = c.action.Err
	if q, ok := in.(queueInput); ok && err == nil {
		if c.queue, err = c.find(q); err == nil {
			c.expire(c.queue, c.now)
		}
	}
	if err == nil {
		out, err = in.apply(c)
	}
	if c.wake != nil {
		return nil, nil
	}
	e := Event{Time: c.now, Op: c.op, Queue: c.name, MessageIDs: c.ids, Lost: c.action.lost() && err == nil}
	if err != nil {
		e.Code = err.Code
	}
	c.history.add(e)
	return out, err
}

func (c *call) find(in queueInput) (*queue, *Error) {
	ref := in.queueURL()
	if ref == "" {
		return nil, missing("QueueUrl")
	}
	if q := c.queueAt(ref); q != nil {
		return q, nil
	}
	return nil, noSuchQueue()
}

// failed is the injected error of batch entry i, if there is one.
func (c *call) failed(i int) *Error { return c.action.FailEntries[i] }

func (s *Server) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return "sqstest-" + strconv.FormatUint(s.requests, 10)
}

// describe tells a [FaultFunc] about the request.
func describe(in input, raw []byte, h http.Header) Request {
	req := Request{Input: raw}
	if q, ok := in.(queueInput); ok {
		ref := q.queueURL()
		req.Queue = ref[strings.LastIndexByte(ref, '/')+1:]
	}
	if e, ok := in.(interface{ entries() []Entry }); ok {
		req.Entries = e.entries()
	}
	if _, after, ok := strings.Cut(h.Get("amz-sdk-request"), "attempt="); ok {
		n, _, _ := strings.Cut(after, ";")
		req.Attempt, _ = strconv.Atoi(n)
	}
	return req
}

// writeAnswer announces the whole length even when it truncates: net/http then
// closes the connection, and the client knows that something is missing.
func writeAnswer(w http.ResponseWriter, out any, a Action) {
	if m, ok := out.(interface{ corrupt() }); ok && a.CorruptMD5 {
		m.corrupt()
	}
	body := mustJSON(out)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.Truncate {
		body = body[:len(body)/2]
	}
	answer(w, http.StatusOK, body)
}

// answer writes the body. A client that is gone misses nothing of an error.
func answer(w http.ResponseWriter, status int, body []byte) {
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sqstest: encode answer: " + err.Error())
	}
	return b
}
