package lambdatest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

type stockError struct{ item string }

func (e *stockError) Error() string { return "no " + e.item }

// Ensure that errors and panics take the form that Lambda gives them, and that
// the error itself can still be found.
func TestHandlerFuncErrors(t *testing.T) {
	stock := &stockError{"shoes"}
	for _, tc := range []struct {
		name, kind, message string
		fail                func() error
		cause               error
	}{
		{"pointer type", "stockError", "no shoes", func() error { return stock }, stock},
		{"plain error", "errorString", "any error", func() error { return errAny }, errAny},
		{"panic with text", "string", "oh", func() error { panic("oh") }, nil},
		{"panic with error", "stockError", "no shoes", func() error { panic(stock) }, stock},
		{"chosen type", "Shop.Closed", "come back", func() error {
			return messages.InvokeResponse_Error{Type: "Shop.Closed", Message: "come back"}
		}, nil},
		{"ready made", "X", "y", func() error { return &lambdatest.FunctionError{Type: "X", Message: "y"} }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return []byte("x"), tc.fail() })
			out, err := f.Invoke(t.Context(), nil)
			wantFunctionError(t, err, tc.kind, tc.message)
			if out != nil || tc.cause != nil && !errors.Is(err, tc.cause) {
				t.Errorf("got %q, %v, want no response and %v", out, err, tc.cause)
			}
			if want := tc.kind + ": " + tc.message; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}

// Ensure that a handler of aws-lambda-go finds its values in the context, a new
// request id each time unless the caller gave one.
func TestFunction(t *testing.T) {
	var seen []lambdacontext.LambdaContext
	f := lambdatest.Function{ARN: "arn:x", Handler: lambda.NewHandler(func(ctx context.Context, in map[string]int) (int, error) {
		lc, ok := lambdacontext.FromContext(ctx)
		if !ok {
			t.Fatal("no lambda context")
		}
		seen = append(seen, *lc)
		return in["n"] + 1, nil
	})}
	mine := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "mine"})
	for _, ctx := range []context.Context{t.Context(), t.Context(), mine} {
		out, err := f.Invoke(ctx, []byte(`{"n":1}`))
		if err != nil || strings.TrimSpace(string(out)) != "2" {
			t.Fatalf("got %q, %v, want 2", out, err)
		}
	}
	if a, b := seen[0], seen[1]; len(a.AwsRequestID) != 36 || a.AwsRequestID == b.AwsRequestID || a.InvokedFunctionArn != "arn:x" {
		t.Errorf("got contexts %+v and %+v", a, b)
	}
	if seen[2].AwsRequestID != "mine" {
		t.Errorf("got request id %q, want the caller's", seen[2].AwsRequestID)
	}
	if _, err := f.Invoke(t.Context(), []byte(`[]`)); err == nil {
		t.Error("a payload of the wrong type was accepted")
	}
}
