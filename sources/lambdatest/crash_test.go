package lambdatest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Ensure that a batch whose process is killed comes back after the visibility
// timeout and is then done by a new process.
func TestMappingOfKilledProcess(t *testing.T) {
	server := sqstest.New(sqstest.Options{})
	client := server.Client()
	url := server.CreateQueue("orders", map[string]string{"VisibilityTimeout": "1"})
	body := "a"
	if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
	r := newRuntime(t, "function", lambdatest.RuntimeOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []lambdatest.Invocation
	m := lambdatest.NewMapping(lambdatest.MappingOptions{
		Queue: client, QueueURL: url, ReportBatchItemFailures: true,
		Timeout: 30 * time.Second, ShortVisibility: true,
		// The function dies of the first delivery, by its own hand.
		Function: lambdatest.HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
			var event events.SQSEvent
			if err := json.Unmarshal(payload, &event); err != nil {
				return nil, err
			}
			if event.Records[0].Attributes["ApproximateReceiveCount"] == "1" {
				return r.Invoke(ctx, []byte(`{"do":"exit"}`))
			}
			if _, err := r.Invoke(ctx, payload); err != nil {
				return nil, err
			}
			return []byte(`{"batchItemFailures":[]}`), nil
		}),
		Observe: func(inv lambdatest.Invocation) {
			seen = append(seen, inv)
			if inv.Err == nil {
				cancel()
			}
		},
	})
	if err := m.Run(ctx); err != nil {
		t.Fatal(err)
	}
	wantFunctionError(t, seen[0].Err, "Runtime.ExitError", "exit status 4")
	if len(seen) != 2 || len(seen[1].Deleted) != 1 || r.Starts() != 2 {
		t.Errorf("got %d invocations, %d processes, want two of each and the message deleted", len(seen), r.Starts())
	}
	if n := server.Stats("orders").Total(); n != 0 {
		t.Errorf("got %d messages left, want none", n)
	}
}
