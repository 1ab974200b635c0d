package sqstest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

func operations() []string {
	return []string{
		"CreateQueue", "GetQueueUrl", "ListQueues", "ListDeadLetterSourceQueues", "GetQueueAttributes",
		"SetQueueAttributes", "DeleteQueue", "PurgeQueue", "SendMessage", "SendMessageBatch", "ReceiveMessage",
		"DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch",
		"StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask", "TagQueue",
	}
}

// post sends raw bytes as an operation and returns the answer, which must be
// JSON whatever was sent.
func post(t *testing.T, s *sqstest.Server, target string, body []byte) (status int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target)
	resp, err := s.HTTPClient().Do(req)
	if err != nil {
		t.Fatalf("%s %q: %v", target, body, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %q: read answer: %v", target, body, err)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s %q: answer %q: %v", target, body, raw, err)
	}
	return resp.StatusCode, answer
}

// Whatever the bytes, no operation panics: the answer is JSON, and one with
// an error status names its type.
func FuzzHandler(f *testing.F) {
	const url = `"QueueUrl":"http://x/000000000000/q`
	for i := range operations() {
		f.Add(uint8(i), []byte(`{`+url+`"}`))
	}
	f.Add(uint8(0), []byte(`{"QueueName":"n","Attributes":{"RedrivePolicy":"{\"maxReceiveCount\":{}}","DelaySeconds":"x"}}`))
	f.Add(uint8(0), []byte(`{"QueueName":"`+strings.Repeat("é", 99)+`"}`))
	f.Add(uint8(5), []byte(`{`+url+`","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\":q\",\"maxReceiveCount\":1}"}}`))
	f.Add(uint8(8), []byte(`{`+url+`.fifo","MessageBody":"b","MessageGroupId":"g","MessageDeduplicationId":"d"}`))
	f.Add(uint8(8), []byte(`{`+url+`","MessageBody":"b","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AQ=="}}}`))
	f.Add(uint8(9), []byte(`{`+url+`","Entries":[{"Id":"a","MessageBody":"b"},null,{}]}`))
	f.Add(uint8(10), []byte(`{`+url+`","MaxNumberOfMessages":10,"WaitTimeSeconds":20,"VisibilityTimeout":0,"MessageAttributeNames":[".*"]}`))
	f.Add(uint8(10), []byte(`{`+url+`","MaxNumberOfMessages":1e99}`))
	f.Add(uint8(11), []byte(`{`+url+`","ReceiptHandle":"cXwxfDF8aWR8MDAwMDAwMDA"}`))
	f.Add(uint8(13), []byte(`{`+url+`","ReceiptHandle":"x","VisibilityTimeout":-1}`))
	f.Add(uint8(15), []byte(`{"SourceArn":"q","DestinationArn":"/","MaxNumberOfMessagesPerSecond":1}`))
	f.Add(uint8(3), []byte(`[[[[`))
	f.Add(uint8(4), []byte("\xff\xfe{}"))
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New(sqstest.Options{})
			s.CreateQueue("q.fifo", nil)
			s.CreateQueue("q", nil)
			ops := operations()
			target := "AmazonSQS." + ops[int(op)%len(ops)]
			for range 2 {
				status, answer := post(t, s, target, body)
				if code, _ := answer["__type"].(string); status != 200 && code == "" {
					t.Errorf("%s %q: status %d without a type: %v", target, body, status, answer)
				}
				if status >= 500 {
					t.Errorf("%s %q: status %d", target, body, status)
				}
			}
		})
	})
}

// Requests that are no SQS request at all get a JSON error.
func TestNotSQS(t *testing.T) {
	s := sqstest.New(sqstest.Options{})
	for target, want := range map[string]string{
		"": "UnknownOperationException", "AmazonSQS.": "UnknownOperationException",
		"DynamoDB_20120810.GetItem": "UnknownOperationException", "AmazonSQS.ListQueues": "SerializationException",
	} {
		status, answer := post(t, s, target, []byte("not json"))
		if status != 400 || answer["__type"] != "com.amazonaws.sqs#"+want {
			t.Errorf("%q: got %d %v, want 400 %s", target, status, answer, want)
		}
	}
}
