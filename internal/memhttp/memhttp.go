// Package memhttp calls an [http.Handler] in process, as an HTTP client: what
// the played servers give to the real SDK clients, and how they delay.
package memhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// Client calls Handler in the caller's goroutine, whatever the host of the
// request: it needs no socket, so that fake time goes on. A request ends with
// its context; a panic of the handler is a transport error, and one with
// [http.ErrAbortHandler] reads like a broken connection. It is safe for
// concurrent use as far as Handler is.
type Client struct {
	Handler http.Handler // Required.
}

// Do calls the handler and turns what it wrote into a response.
func (c Client) Do(req *http.Request) (resp *http.Response, err error) {
	in := req.WithContext(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	defer func() {
		p := recover()
		broken, _ := p.(error)
		switch {
		case p == nil:
			return
		case req.Context().Err() != nil:
			err = req.Context().Err()
		case errors.Is(broken, http.ErrAbortHandler):
			err = fmt.Errorf("memhttp: connection broken: %w", io.EOF)
		default:
			err = fmt.Errorf("memhttp: panic in handler: %v", p)
		}
		resp = nil
	}()
	c.Handler.ServeHTTP(rec, in)
	return rec.response(req), nil
}

// recorder is the http.ResponseWriter of a request without a connection.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	return r.body.Write(p)
}

// response reads like one from the network: a body shorter than announced
// ends with io.ErrUnexpectedEOF.
func (r *recorder) response(req *http.Request) *http.Response {
	length := int64(r.body.Len())
	var body io.Reader = &r.body
	if n, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64); err == nil && n > length {
		length, body = n, io.MultiReader(body, brokenReader{})
	}
	return &http.Response{
		Status:        strconv.Itoa(r.status) + " " + http.StatusText(r.status),
		StatusCode:    r.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        r.header,
		Body:          io.NopCloser(body),
		ContentLength: length,
		Request:       req,
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, io.ErrUnexpectedEOF
}

// Wait waits for d and breaks the connection when the client leaves first, as a
// handler does: by a panic with [http.ErrAbortHandler].
func Wait(ctx context.Context, d time.Duration) {
	if d > 0 && !pause.For(ctx, d) {
		panic(http.ErrAbortHandler)
	}
}
