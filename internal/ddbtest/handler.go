package ddbtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

// maxBody bounds the bytes of a request.
const maxBody = 16 << 20

// call is one request while it is applied.
type call struct {
	*Server
	action   Action
	consumed map[string]*Units // by table
}

// input is a decoded request; apply runs with the mutex held and ends with a
// panic of an [*Error] when the request is refused, before it changed
// anything.
type input interface{ apply(c *call) any }

// keyed is an input about items; keys are for a FaultFunc.
type keyed interface{ keys(c *call) []string }

func newInput(op string, o Options) input {
	if o.NoPartiQL && strings.HasSuffix(op, "ExecuteStatement") {
		return nil
	}
	switch op {
	case "CreateTable":
		return new(createTableInput)
	case "DescribeTable":
		return new(describeTableInput)
	case "DeleteTable":
		return new(deleteTableInput)
	case "UpdateTimeToLive":
		return new(updateTTLInput)
	case "DescribeTimeToLive":
		return new(describeTTLInput)
	case "PutItem":
		return new(putInput)
	case "UpdateItem":
		return new(updateInput)
	case "DeleteItem":
		return new(deleteInput)
	case "GetItem":
		return new(getInput)
	case "Scan":
		return new(scanInput)
	case "BatchGetItem":
		return new(batchGetInput)
	case "TransactWriteItems":
		return new(transactInput)
	case "ExecuteStatement":
		return new(executeInput)
	case "BatchExecuteStatement":
		return new(batchExecuteInput)
	}
	return nil
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		(&Error{Code: "SerializationException", Message: err.Error()}).write(w)
		return
	}
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	in := newInput(op, s.o)
	if !ok || in == nil {
		(&Error{Code: "UnknownOperationException", Message: "The operation is not known: " + op}).write(w)
		return
	}
	if err := json.Unmarshal(raw, in); err != nil {
		(&Error{Code: "SerializationException", Message: err.Error()}).write(w)
		return
	}
	c := &call{Server: s, consumed: map[string]*Units{}}
	req := c.describe(op, in, raw, r.Header)
	defer s.enter(req)()
	c.action = s.action(req)
	out, fault := c.run(r.Context(), in)
	if fault != nil {
		fault.write(w)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// enter counts a request in and returns what counts it out.
func (s *Server) enter(req Request) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	s.flying++
	s.most = max(s.most, s.flying)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flying--
	}
}

// run applies the request with its faults. It breaks the connection by panic
// with [http.ErrAbortHandler], the one way net/http has for it.
func (c *call) run(ctx context.Context, in input) (any, *Error) {
	memhttp.Wait(ctx, c.action.Delay)
	if c.action.DropRequest || ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	out, err := any(nil), c.action.Err
	if err == nil {
		c.hold(ctx, in)
		out, err = c.try(in)
	}
	memhttp.Wait(ctx, c.action.DelayResponse)
	if c.action.DropResponse {
		panic(http.ErrAbortHandler)
	}
	return out, err
}

func (c *call) try(in input) (out any, err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		for _, u := range c.consumed {
			c.units.Write += u.Write
			c.units.Read += u.Read
		}
	}()
	err = caught(func() { out = in.apply(c) })
	return out, err
}

// caught returns the [*Error] that f ended with.
func caught(f func()) (err *Error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(*Error)
			if !ok {
				panic(p)
			}
			err = e
		}
	}()
	f()
	return nil
}

// describe tells a [FaultFunc] about the request.
func (c *call) describe(op string, in input, raw []byte, h http.Header) Request {
	req := Request{Op: op, Input: raw}
	c.mu.Lock()
	if k, ok := in.(keyed); ok {
		req.Keys = k.keys(c)
	}
	c.mu.Unlock()
	switch in := in.(type) {
	case *executeInput:
		req.Statements = []string{in.Statement}
	case *batchExecuteInput:
		for _, s := range in.Statements {
			req.Statements = append(req.Statements, s.Statement)
		}
	}
	if _, after, ok := strings.Cut(h.Get("amz-sdk-request"), "attempt="); ok {
		n, _, _ := strings.Cut(after, ";")
		req.Attempt, _ = strconv.Atoi(n)
	}
	return req
}
