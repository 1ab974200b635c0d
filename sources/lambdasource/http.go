package lambdasource

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
)

var _ lambda.Handler = (*HTTPHandler)(nil)

// HTTPOptions configure an [HTTPHandler]. The zero value is safe.
type HTTPOptions struct {
	// Reserve is the time before the function's deadline at which the
	// request's context ends, so that there is time for an answer. Defaults to
	// a tenth of the time that is left at the start, at least 500 ms and at
	// most 5 s, but no more than half of it.
	Reserve time.Duration
}

// HTTPHandler is a function behind an API Gateway REST API, an API Gateway
// HTTP API with payloads of either version, or a function URL. Make one with
// [HTTP]. It is safe for concurrent use.
type HTTPHandler struct {
	next http.Handler
	o    HTTPOptions
}

// HTTP returns a handler for [lambda.Start] that runs h for each request, such
// as an httpsource.Once. It panics when h is nil, an option is negative or
// more than one HTTPOptions is given.
//
// The request is as the client sent it, as far as the payload tells: the
// stage is not in its path when the API is called under its execute-api name,
// several values of a header are joined by commas in payloads of version 2.0,
// and the payload is available from [HTTPEvent]. The response is sent as a
// whole when h returns; its body is base64 where it is not valid UTF-8, for
// which a REST API needs the media type among its binaryMediaTypes.
func HTTP(h http.Handler, opts ...HTTPOptions) *HTTPHandler {
	var o HTTPOptions
	switch {
	case h == nil:
		panic("lambdasource: HTTP needs a handler")
	case len(opts) > 1:
		panic("lambdasource: HTTP takes one HTTPOptions")
	case len(opts) == 1:
		o = opts[0]
	}
	if o.Reserve < 0 {
		panic("lambdasource: HTTP: negative HTTPOptions.Reserve")
	}
	return &HTTPHandler{next: h, o: o}
}

// Invoke handles one request and returns the response in the form of the
// payload's version. The error is a [PayloadError] when the payload is not
// such a request; nothing was handled then. A panic of the handler is an error
// too, a [consumer.PanicError]: the client gets the gateway's own 5xx, and the
// function's metrics show it.
func (h *HTTPHandler) Invoke(ctx context.Context, payload []byte) (response []byte, err error) {
	e, err := readHTTP(payload)
	if err != nil {
		return nil, err
	}
	ctx, cancel := h.context(context.WithValue(ctx, httpEventKey{}, json.RawMessage(payload)))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			response, err = nil, fmt.Errorf("lambdasource: request %q: %w", e.RequestContext.RequestID,
				&consumer.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	in, err := e.request(ctx)
	if err != nil {
		return nil, badHTTP(payload, err)
	}
	out := httpbuf.NewWriter()
	h.next.ServeHTTP(out, in)
	return e.response(out.Response())
}

// context ends before the function's deadline.
func (h *HTTPHandler) context(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	reserve := h.o.Reserve
	if reserve == 0 {
		reserve = min(max(left/10, 500*time.Millisecond), 5*time.Second)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(reserve, left/2)))
}

type httpEventKey struct{}

// HTTPEvent returns the payload of the request whose context is ctx: what the
// gateway says of it and [http.Request] has no place for, such as the claims
// of an authorizer. It is valid until the handler returns and must not be
// changed. It reports false for requests that did not come through [HTTP].
func HTTPEvent(ctx context.Context) (json.RawMessage, bool) {
	payload, ok := ctx.Value(httpEventKey{}).(json.RawMessage)
	return payload, ok
}
