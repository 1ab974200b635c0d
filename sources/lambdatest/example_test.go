package lambdatest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// A handler that fails one record of two: the mapping deletes the other.
func ExampleMapping() {
	server := sqstest.New(sqstest.Options{})
	url := server.CreateQueue("orders", nil)
	client := server.Client()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, body := range []string{"shoes", "socks"} {
		if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			fmt.Println(err)
			return
		}
	}

	handle := func(_ context.Context, event events.SQSEvent) (res events.SQSEventResponse, err error) {
		for _, r := range event.Records {
			if r.Body == "socks" {
				res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		return res, nil
	}
	m := lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue:                   client,
		QueueURL:                url,
		Function:                lambdatest.Function{Handler: lambda.NewHandler(handle)},
		ReportBatchItemFailures: true,
		Observe: func(inv lambdatest.Invocation) {
			fmt.Println("records:", len(inv.MessageIDs), "deleted:", len(inv.Deleted), "failed:", len(inv.Failed))
			cancel()
		},
	})
	if err := m.Run(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("left:", server.Messages("orders")[0].Body)
	// Output:
	// records: 2 deleted: 1 failed: 1
	// left: socks
}

// The response of the first invocation is lost: the work was done, and the
// message comes again.
func ExampleMapping_fault() {
	server := sqstest.New(sqstest.Options{})
	url := server.CreateQueue("orders", map[string]string{"VisibilityTimeout": "1"})
	client := server.Client()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := "shoes"
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		fmt.Println(err)
		return
	}

	m := lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue:    client,
		QueueURL: url,
		Timeout:  time.Second,
		Function: lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) {
			fmt.Println("working")
			return nil, nil
		}),
		Fault: func(seq int, _ []types.Message) lambdatest.Fault {
			return lambdatest.Fault{DropResponse: seq == 0}
		},
		Observe: func(inv lambdatest.Invocation) {
			if inv.Err != nil {
				fmt.Println(inv.Err)
				return
			}
			cancel()
		},
	})
	if err := m.Run(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// working
	// lambdatest: response lost
	// working
}

// An event of an EventBridge rule that nobody can handle.
func ExampleAsync() {
	a := lambdatest.NewAsync(lambdatest.AsyncOptions{
		Attempts: 1, // in a testing/synctest bubble, three attempts take no time either
		Function: lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) {
			return nil, errors.New("no such order")
		}),
		OnFailure: func(f lambdatest.AsyncFailure) {
			fmt.Println(f.Condition, string(f.Payload), f.Err)
		},
	})
	a.Deliver(context.Background(), []byte(`{"detail-type":"order.placed"}`))
	// Output: RetriesExhausted {"detail-type":"order.placed"} errorString: no such order
}

// A compiled function is killed while it works, and starts again.
func ExampleRuntime() {
	bootstrap, err := compile(context.Background(), "function") // go build -tags lambda.norpc
	if err != nil {
		fmt.Println(err)
		return
	}
	r := lambdatest.NewRuntime(lambdatest.RuntimeOptions{Path: bootstrap, Timeout: 30 * time.Second})
	defer r.Close()
	for _, payload := range []string{`{"do":"exit"}`, `{"do":"env","text":"AWS_REGION"}`} {
		out, err := r.Invoke(context.Background(), []byte(payload))
		if fe, failed := errors.AsType[*lambdatest.FunctionError](err); failed {
			_, reason, _ := strings.Cut(fe.Message, " Error: ")
			fmt.Println(fe.Type, reason)
			continue
		}
		fmt.Println("us-east-1:", strings.Contains(string(out), `"text":"us-east-1"`))
	}
	fmt.Println("processes:", r.Starts())
	// Output:
	// Runtime.ExitError Runtime exited with error: exit status 4
	// us-east-1: true
	// processes: 2
}

// Reading a partial batch response as AWS does.
func ExampleBatchItemFailures() {
	batch := []string{"1", "2", "3"}
	for _, response := range []string{
		`{"batchItemFailures":[{"itemIdentifier":"2"}]}`,
		`{}`,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`,
	} {
		fmt.Println(lambdatest.BatchItemFailures([]byte(response), batch))
	}
	// Output:
	// [2] <nil>
	// [] <nil>
	// [] lambdatest: malformed batch response: itemIdentifier is empty or null in item 0
}
