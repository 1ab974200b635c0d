// Command function does what its payload tells it to.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

type response struct {
	PID       int    `json:"pid"`
	Text      string `json:"text,omitempty"`
	RequestID string `json:"requestId,omitempty"`
	ARN       string `json:"arn,omitempty"`
	Deadline  int64  `json:"deadline,omitempty"`
	Together  int32  `json:"together,omitempty"`
}

// together counts the handlers that wait for each other.
var together atomic.Int32

func main() {
	if os.Getenv("EXIT_AT_INIT") != "" {
		os.Exit(3)
	}
	if os.Getenv("HANG_AT_INIT") != "" {
		select {}
	}
	fmt.Fprintln(os.Stderr, "ready")
	lambda.Start(handle)
}

func handle(ctx context.Context, req request) (any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	answer := response{PID: os.Getpid(), RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Deadline: deadline.UnixMilli()}
	switch req.Do {
	case "env":
		answer.Text = os.Getenv(req.Text)
	case "fail":
		return nil, errors.New(req.Text)
	case "panic":
		panic(req.Text)
	case "exit":
		os.Exit(4)
	case "hang":
		// Tells the test that it has begun, then ignores its context.
		fmt.Fprintln(os.Stdout, "hanging")
		time.Sleep(time.Hour)
	case "meet":
		// Waits until as many handlers run as MaxConcurrency allows.
		together.Add(1)
		for int(together.Load()) < lambdacontext.MaxConcurrency() {
			time.Sleep(time.Millisecond)
		}
		answer.Together = together.Load()
	case "break":
		// A streamed answer that breaks off.
		return io.MultiReader(strings.NewReader("half an ans"), brokenReader{}), nil
	case "large":
		return strings.NewReader(strings.Repeat("x", 7<<20)), nil
	}
	return answer, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("stream broke") }
