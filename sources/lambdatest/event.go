package lambdatest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQSEvent returns the payload with which Lambda hands messages of the queue
// queueARN to a function.
func SQSEvent(queueARN string, messages []types.Message) ([]byte, error) {
	records := make([]record, 0, len(messages))
	for _, m := range messages {
		r, err := newRecord(queueARN, m)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return joinRecords(records), nil
}

// A record is a message and its encoded place in an event.
type record struct {
	message types.Message
	encoded []byte
}

func (r record) id() string { return aws.ToString(r.message.MessageId) }

const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

func joinRecords(records []record) []byte {
	var b bytes.Buffer
	b.WriteString(eventHead)
	for i, r := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(r.encoded)
	}
	b.WriteString(eventTail)
	return b.Bytes()
}

type recordJSON struct {
	MessageID              string                   `json:"messageId"`
	ReceiptHandle          string                   `json:"receiptHandle"`
	Body                   string                   `json:"body"`
	Attributes             map[string]string        `json:"attributes"`
	MessageAttributes      map[string]attributeJSON `json:"messageAttributes"`
	MD5OfMessageAttributes string                   `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody              string                   `json:"md5OfBody"`
	EventSource            string                   `json:"eventSource"`
	EventSourceARN         string                   `json:"eventSourceARN"`
	AWSRegion              string                   `json:"awsRegion"`
}

type attributeJSON struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

func newRecord(queueARN string, m types.Message) (record, error) {
	j := recordJSON{
		MessageID:              aws.ToString(m.MessageId),
		ReceiptHandle:          aws.ToString(m.ReceiptHandle),
		Body:                   aws.ToString(m.Body),
		Attributes:             m.Attributes,
		MessageAttributes:      make(map[string]attributeJSON, len(m.MessageAttributes)),
		MD5OfMessageAttributes: aws.ToString(m.MD5OfMessageAttributes),
		MD5OfBody:              aws.ToString(m.MD5OfBody),
		EventSource:            "aws:sqs",
		EventSourceARN:         queueARN,
		AWSRegion:              regionOf(queueARN),
	}
	if j.Attributes == nil {
		j.Attributes = map[string]string{}
	}
	for name, v := range m.MessageAttributes {
		// The list values exist on the wire only; SQS never fills them.
		j.MessageAttributes[name] = attributeJSON{
			StringValue:      v.StringValue,
			BinaryValue:      v.BinaryValue,
			StringListValues: append([]string{}, v.StringListValues...),
			BinaryListValues: append([][]byte{}, v.BinaryListValues...),
			DataType:         aws.ToString(v.DataType),
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // AWS does not, and it counts against the 6 MB of a payload
	if err := enc.Encode(j); err != nil {
		return record{}, err
	}
	return record{message: m, encoded: bytes.TrimSpace(b.Bytes())}, nil
}

// regionOf returns the fourth part of an ARN: arn:aws:sqs:REGION:account:name.
func regionOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}
