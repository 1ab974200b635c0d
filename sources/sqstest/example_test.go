package sqstest_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

func ExampleServer() {
	ctx := context.Background()
	server := sqstest.New(sqstest.Options{})
	url := server.CreateQueue("orders", map[string]string{"VisibilityTimeout": "60"})
	client := server.Client()

	client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("order 7")})
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("received", *got.Messages[0].Body)
	fmt.Printf("%+v\n", server.Stats("orders"))

	client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: got.Messages[0].ReceiptHandle})
	fmt.Printf("%+v\n", server.Stats("orders"))
	for _, e := range server.History() {
		fmt.Println(e.Op, e.Queue, len(e.MessageIDs))
	}
	// Output:
	// received order 7
	// {Visible:0 InFlight:1 Delayed:0}
	// {Visible:0 InFlight:0 Delayed:0}
	// SendMessage orders 1
	// ReceiveMessage orders 1
	// DeleteMessage orders 1
}

func ExampleServer_Fault() {
	ctx := context.Background()
	server := sqstest.New(sqstest.Options{})
	url := server.CreateQueue("orders", nil)
	client := server.Client()

	// The first answer to SendMessage is lost, so the SDK sends again.
	server.Fault(func(op string, req sqstest.Request) sqstest.Action {
		return sqstest.Action{DropResponse: op == "SendMessage" && req.Attempt == 1}
	})
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("order 7")})
	fmt.Println(err, server.Stats("orders").Visible)
	// Output: <nil> 2
}
