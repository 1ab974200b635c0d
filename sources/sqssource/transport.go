package sqssource

import (
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/internal/plainbody"
)

// idleConns is enough for the receives, deletes and heartbeats that a busy
// poller has in flight. With the SDK's default of 10 every burst above it
// opens new TLS connections, which cost several times the requests themselves.
const idleConns = 128

// HTTPClient returns an HTTP client for an [sqs.Client]: enough idle
// connections for bursts of requests, and request bodies that survive answers
// which come early. It sets no limit to the wait for an answer, since a long
// poll waits for 20 s; the poller limits each of its requests.
//
//	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) {
//		o.HTTPClient = sqssource.HTTPClient()
//	})
func HTTPClient() sqs.HTTPClient {
	return plainbody.Client{Next: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = idleConns
		t.MaxIdleConnsPerHost = idleConns
	})}
}
