package dynamodedupe

import (
	"bytes"
	"io"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const (
	// idleConns is enough for the requests that a busy worker has in flight.
	// With the SDK's default of 10 every burst above it opens new TLS
	// connections, which cost several times the requests themselves.
	idleConns = 128

	// responseTimeout is when the SDK gives up on one try and makes another,
	// inside Options.Timeout. Without one a dead connection takes all of it.
	responseTimeout = time.Second

	// writeBuffer takes the head and the body of a full batch, so that they
	// leave in one write; with the default of 4 KB a group of ten takes two.
	writeBuffer = 32 << 10
)

// HTTPClient returns an HTTP client for a [dynamodb.Client]: enough idle
// connections for bursts of requests, a limit of one second to the wait for
// each answer, and request bodies that survive answers which come early.
//
//	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
//		o.HTTPClient = dynamodedupe.HTTPClient()
//	})
func HTTPClient() dynamodb.HTTPClient {
	return plainBodies{awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = idleConns
		t.MaxIdleConnsPerHost = idleConns
		t.ResponseHeaderTimeout = responseTimeout
		t.WriteBufferSize = writeBuffer
	})}
}

// plainBodies gives net/http each request body as a plain reader. The SDK
// closes its own one as soon as the answer is there; when the answer came
// fast, net/http then takes the request for broken, closes the connection and
// sometimes loses the answer with it. Read in smithy-go v1.28.8.
type plainBodies struct{ next dynamodb.HTTPClient }

func (c plainBodies) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return c.next.Do(req)
	}
	b, err := readBody(req)
	if err != nil {
		return nil, err
	}
	out := req.WithContext(req.Context())
	out.Body = io.NopCloser(bytes.NewReader(b))
	out.ContentLength = int64(len(b))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return c.next.Do(out)
}

// readBody reads a request's body, into memory of its size when that is known.
func readBody(req *http.Request) ([]byte, error) {
	if req.ContentLength <= 0 {
		return io.ReadAll(req.Body)
	}
	b := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, b)
	return b, err
}
