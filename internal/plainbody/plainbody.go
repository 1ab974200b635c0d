// Package plainbody gives net/http request bodies that survive answers which
// come early.
package plainbody

import (
	"bytes"
	"io"
	"net/http"
)

// Doer is an HTTP client, as the AWS SDK wants one.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Client gives Next each request with its body as a plain reader. The SDK
// closes its own one as soon as the answer is there; when the answer came
// fast, net/http then takes the request for broken, closes the connection and
// sometimes loses the answer with it. Read in smithy-go v1.28.8.
type Client struct{ Next Doer }

// Do makes the request.
func (c Client) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return c.Next.Do(req)
	}
	b, err := read(req)
	if err != nil {
		return nil, err
	}
	out := req.WithContext(req.Context())
	out.Body = io.NopCloser(bytes.NewReader(b))
	out.ContentLength = int64(len(b))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return c.Next.Do(out)
}

// read reads a request's body, into memory of its size when that is known.
func read(req *http.Request) ([]byte, error) {
	if req.ContentLength <= 0 {
		return io.ReadAll(req.Body)
	}
	b := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, b)
	return b, err
}
