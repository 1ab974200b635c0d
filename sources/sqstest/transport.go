package sqstest

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

// HTTPClient returns a client that calls the server in the caller's goroutine,
// whatever the host of the request. A request ends with its context, and a
// panic on the way, for example in a [FaultFunc], is a transport error.
func (s *Server) HTTPClient() sqs.HTTPClient { return memhttp.Client{Handler: s.Handler()} }
