package dynamodedupe

import (
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/internal/plainbody"
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
	return plainbody.Client{Next: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = idleConns
		t.MaxIdleConnsPerHost = idleConns
		t.ResponseHeaderTimeout = responseTimeout
		t.WriteBufferSize = writeBuffer
	})}
}
