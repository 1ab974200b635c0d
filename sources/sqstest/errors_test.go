package sqstest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// isType tells whether an error of type T is in the chain.
func isType[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// Every error that the service models arrives as its type, with the status
// and the code of the service, whether the server finds it or a fault says so.
func TestErrorTypes(t *testing.T) {
	const prefix = "AWS.SimpleQueueService."
	tests := []struct {
		code   string
		is     func(error) bool
		status int
		query  string
	}{
		{"QueueDoesNotExist", isType[*types.QueueDoesNotExist], 400, prefix + "NonExistentQueue"},
		{"QueueNameExists", isType[*types.QueueNameExists], 400, "QueueAlreadyExists"},
		{"QueueDeletedRecently", isType[*types.QueueDeletedRecently], 400, prefix + "QueueDeletedRecently"},
		{"ReceiptHandleIsInvalid", isType[*types.ReceiptHandleIsInvalid], 404, "ReceiptHandleIsInvalid"},
		{"MessageNotInflight", isType[*types.MessageNotInflight], 400, prefix + "MessageNotInflight"},
		{"BatchEntryIdsNotDistinct", isType[*types.BatchEntryIdsNotDistinct], 400, prefix + "BatchEntryIdsNotDistinct"},
		{"EmptyBatchRequest", isType[*types.EmptyBatchRequest], 400, prefix + "EmptyBatchRequest"},
		{"TooManyEntriesInBatchRequest", isType[*types.TooManyEntriesInBatchRequest], 400, prefix + "TooManyEntriesInBatchRequest"},
		{"BatchRequestTooLong", isType[*types.BatchRequestTooLong], 400, prefix + "BatchRequestTooLong"},
		{"InvalidBatchEntryId", isType[*types.InvalidBatchEntryId], 400, prefix + "InvalidBatchEntryId"},
		{"UnsupportedOperation", isType[*types.UnsupportedOperation], 400, prefix + "UnsupportedOperation"},
		{"PurgeQueueInProgress", isType[*types.PurgeQueueInProgress], 403, prefix + "PurgeQueueInProgress"},
		{"OverLimit", isType[*types.OverLimit], 403, "OverLimit"},
		{"RequestThrottled", isType[*types.RequestThrottled], 403, "RequestThrottled"},
		{"KmsThrottled", isType[*types.KmsThrottled], 400, "KMS.ThrottlingException"},
		{"ResourceNotFoundException", isType[*types.ResourceNotFoundException], 404, "ResourceNotFoundException"},
		{"InvalidMessageContents", isType[*types.InvalidMessageContents], 400, "InvalidMessageContents"},
		{"InvalidAttributeName", isType[*types.InvalidAttributeName], 400, "InvalidAttributeName"},
		{"InvalidAttributeValue", isType[*types.InvalidAttributeValue], 400, "InvalidAttributeValue"},
		{"InvalidParameterValue", isType[*smithy.GenericAPIError], 400, "InvalidParameterValue"},
		{"MissingParameter", isType[*smithy.GenericAPIError], 400, "MissingParameter"},
		{"ThrottlingException", isType[*smithy.GenericAPIError], 400, "ThrottlingException"},
		{"InternalFailure", isType[*smithy.GenericAPIError], 500, "InternalFailure"},
		{"ServiceUnavailable", isType[*smithy.GenericAPIError], 503, "ServiceUnavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			text := "why"
			if tt.code == "MessageNotInflight" {
				text = "" // The SDK's model of this error has no text.
			}
			bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
				r.Fault(func(string, sqstest.Request) sqstest.Action {
					return sqstest.Action{Err: &sqstest.Error{Code: tt.code, Message: "why"}}
				})
				_, err := r.client.ListQueues(r.Context(), nil)
				var api smithy.APIError
				var resp *awshttp.ResponseError
				if !tt.is(err) || !errors.As(err, &api) || !errors.As(err, &resp) {
					r.Fatalf("error: got %T %v", errors.Unwrap(err), err)
				}
				if api.ErrorCode() != tt.query || api.ErrorMessage() != text || resp.HTTPStatusCode() != tt.status {
					r.Errorf("got %s %q %d, want %s %q %d", api.ErrorCode(), api.ErrorMessage(),
						resp.HTTPStatusCode(), tt.query, text, tt.status)
				}
			})
		})
	}
}

// The server answers each bad request with the error of the service.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 600<<10)
	tests := []struct {
		name string
		want string
		do   func(ctx context.Context, c *sqs.Client, url *string) error
	}{
		{"no such queue", "NonExistentQueue", func(ctx context.Context, c *sqs.Client, _ *string) error {
			_, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String("http://x/1/nobody")})
			return err
		}},
		{"same name, other attributes", "QueueAlreadyExists", func(ctx context.Context, c *sqs.Client, _ *string) error {
			_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: attrs{"DelaySeconds": "9"}})
			return err
		}},
		{"name just deleted", "QueueDeletedRecently", func(ctx context.Context, c *sqs.Client, url *string) error {
			c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
			_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q")})
			return err
		}},
		{"FIFO name without attribute", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, _ *string) error {
			_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("a.fifo")})
			return err
		}},
		{"unknown attribute", "InvalidAttributeName", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attrs{"Colour": "red"}})
			return err
		}},
		{"attribute out of range", "InvalidAttributeValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attrs{"VisibilityTimeout": "43201"}})
			return err
		}},
		{"dead-letter queue missing", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attrs{
				"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:none","maxReceiveCount":"3"}`}})
			return err
		}},
		{"second purge", "PurgeQueueInProgress", func(ctx context.Context, c *sqs.Client, url *string) error {
			c.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			_, err := c.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			return err
		}},
		{"eleven messages wanted", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 11})
			return err
		}},
		{"garbage handle", "ReceiptHandleIsInvalid", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("garbage")})
			return err
		}},
		{"empty body", "MissingParameter", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("")})
			return err
		}},
		{"message too long", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(long + long)})
			return err
		}},
		{"control character", "InvalidMessageContents", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a\x01b")})
			return err
		}},
		{"eleven attributes", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			m := map[string]types.MessageAttributeValue{}
			for i := range 11 {
				m[fmt.Sprint("a", i)] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("v")}
			}
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("b"), MessageAttributes: m})
			return err
		}},
		{"deduplication id on a standard queue", "InvalidParameterValue", func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("b"), MessageDeduplicationId: aws.String("d")})
			return err
		}},
		{"empty batch", "EmptyBatchRequest", sendBatch(0, func(i int) (string, string) { return "", "" })},
		{"eleven entries", "TooManyEntries", sendBatch(11, func(i int) (string, string) { return fmt.Sprint(i), "b" })},
		{"same id twice", "NotDistinct", sendBatch(2, func(int) (string, string) { return "id", "b" })},
		{"bad entry id", "InvalidBatchEntryId", sendBatch(1, func(int) (string, string) { return "a.b", "b" })},
		{"entry id too long", "InvalidBatchEntryId", sendBatch(1, func(int) (string, string) { return strings.Repeat("a", 81), "b" })},
		{"batch too long", "BatchRequestTooLong", sendBatch(2, func(i int) (string, string) { return fmt.Sprint(i), long })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, sqstest.Options{}, "q", nil, func(r rig) {
				err := tt.do(r.Context(), r.client, &r.url)
				r.wantErr(err, tt.want)
			})
		})
	}
}

func sendBatch(n int, entry func(i int) (id, body string)) func(context.Context, *sqs.Client, *string) error {
	return func(ctx context.Context, c *sqs.Client, url *string) error {
		in := &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{}}
		for i := range n {
			id, body := entry(i)
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body})
		}
		_, err := c.SendMessageBatch(ctx, in)
		return err
	}
}

// The SDK tries throttled and failed requests again, up to three times, and
// others not.
func TestRetries(t *testing.T) {
	for code, want := range map[string]int{
		"RequestThrottled": 3, "ThrottlingException": 3, "InternalFailure": 3, "ServiceUnavailable": 3,
		"OverLimit": 1, "InvalidParameterValue": 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New(sqstest.Options{})
			tries := 0
			s.Fault(func(_ string, req sqstest.Request) sqstest.Action {
				if tries++; req.Attempt != tries {
					t.Errorf("%s: attempt: got %d, want %d", code, req.Attempt, tries)
				}
				return sqstest.Action{Err: &sqstest.Error{Code: code}}
			})
			start := time.Now()
			s.Client().ListQueues(t.Context(), nil)
			if tries != want || time.Since(start) > time.Minute {
				t.Errorf("%s: got %d tries in %v, want %d", code, tries, time.Since(start), want)
			}
		})
	}
}
