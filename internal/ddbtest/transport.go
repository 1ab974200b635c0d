package ddbtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// HTTPClient returns a client that calls the server in the caller's goroutine,
// whatever the host of the request. A request ends with its context, and a
// panic on the way, for example in a [FaultFunc], is a transport error.
func (s *Server) HTTPClient() dynamodb.HTTPClient { return direct{s.Handler()} }

type direct struct{ handler http.Handler }

// Do calls the handler and turns what it wrote into a response.
func (d direct) Do(req *http.Request) (resp *http.Response, err error) {
	in := req.WithContext(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
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
			err = fmt.Errorf("ddbtest: connection broken: %w", io.EOF)
		default:
			err = fmt.Errorf("ddbtest: panic in handler: %v", p)
		}
		resp = nil
	}()
	d.handler.ServeHTTP(rec, in)
	return &http.Response{
		Status:        strconv.Itoa(rec.status) + " " + http.StatusText(rec.status),
		StatusCode:    rec.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        rec.header,
		Body:          io.NopCloser(&rec.body),
		ContentLength: int64(rec.body.Len()),
		Request:       req,
	}, nil
}

// recorder is the http.ResponseWriter of a request without a connection.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
