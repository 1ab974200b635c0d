package lambdatest

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// An Invoker invokes a function once and waits for its answer.
//
// The deadline of ctx is the function's timeout. An error says that the
// function failed, timed out or was never reached; the response then means
// nothing. Invoke may be called by several goroutines at once, must not change
// payload and must not keep it after it returned.
type Invoker interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// HandlerFunc makes an Invoker of a plain function. A returned error and a
// panic become a [FunctionError].
type HandlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke calls f.
func (f HandlerFunc) Invoke(ctx context.Context, payload []byte) (response []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			response, err = nil, panicError(v)
		}
	}()
	response, err = f(ctx, payload)
	if err != nil {
		return nil, functionError(err)
	}
	return response, nil
}

// A Function runs a handler of aws-lambda-go in this process, with the values
// that its runtime puts into the context.
type Function struct {
	// Handler is what the function would give to lambda.Start, as made by
	// lambda.NewHandler. Required.
	Handler lambda.Handler

	// ARN is the function's name in the context. Defaults to the function
	// named "function" of account 000000000000 in us-east-1.
	ARN string
}

// Invoke runs the handler. A context that already carries a
// lambdacontext.LambdaContext keeps it; otherwise each invocation has a request
// id of its own.
func (f Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if _, ok := lambdacontext.FromContext(ctx); !ok {
		arn := f.ARN
		if arn == "" {
			arn = functionARN(defaultRegion, defaultName)
		}
		ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
			AwsRequestID:       newID(),
			InvokedFunctionArn: arn,
		})
	}
	return HandlerFunc(f.Handler.Invoke).Invoke(ctx, payload)
}

const (
	defaultRegion = "us-east-1"
	defaultName   = "function"
)

func functionARN(region, name string) string {
	return "arn:aws:lambda:" + region + ":000000000000:function:" + name
}

// newID returns a random UUID, the form of Lambda's request ids.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
