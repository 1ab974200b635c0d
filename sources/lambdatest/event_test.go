package lambdatest_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// Ensure that the event is, byte for byte, what the sample in testdata says and
// decodes into the type that handlers use.
func TestSQSEvent(t *testing.T) {
	got, err := lambdatest.SQSEvent("arn:aws:sqs:eu-west-1:123456789012:orders", []types.Message{
		{
			MessageId:              aws.String("059f36b4-87a3-44ab-83d2-661975830a7d"),
			ReceiptHandle:          aws.String("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"),
			Body:                   aws.String(`{"text":"5 < 6 & ü"}`),
			MD5OfBody:              aws.String("098f6bcd4621d373cade4e832627b4f6"),
			MD5OfMessageAttributes: aws.String("582c92c5c5b6ac403040a4f3ab3115c9"),
			Attributes:             map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
			MessageAttributes: map[string]types.MessageAttributeValue{
				"count": {DataType: aws.String("Number"), StringValue: aws.String("12")},
				"image": {DataType: aws.String("Binary.png"), BinaryValue: []byte{0xff, 0x00}},
				"empty": {DataType: aws.String("String"), StringValue: aws.String("")},
			},
		},
		{MessageId: aws.String("2"), ReceiptHandle: aws.String("r"), Body: aws.String(""), MD5OfBody: aws.String("m")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/sqs-event.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	var event events.SQSEvent
	if err := json.Unmarshal(got, &event); err != nil {
		t.Fatal(err)
	}
	image := event.Records[0].MessageAttributes["image"]
	if !reflect.DeepEqual(image.BinaryValue, []byte{0xff, 0x00}) || image.DataType != "Binary.png" {
		t.Errorf("got image %+v, want the bytes that were sent", image)
	}
}
