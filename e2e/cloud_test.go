package e2e_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// cloud is ministack, which serves the AWS APIs on this machine.
type cloud struct {
	endpoint  string
	stacks    *cloudformation.Client
	tables    *dynamodb.Client
	events    *eventbridge.Client
	functions *lambda.Client
	queues    *sqs.Client
}

// newCloud skips the test where there is no ministack. scripts/ministack.sh
// starts one, or fails in continuous integration.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	endpoint := os.Getenv("ONLYONCE_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("ONLYONCE_AWS_ENDPOINT names no ministack: make test-aws starts one")
	}
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
	return &cloud{
		endpoint:  endpoint,
		stacks:    cloudformation.NewFromConfig(cfg),
		tables:    dynamodb.NewFromConfig(cfg),
		events:    eventbridge.NewFromConfig(cfg),
		functions: lambda.NewFromConfig(cfg),
		queues:    sqs.NewFromConfig(cfg),
	}
}
