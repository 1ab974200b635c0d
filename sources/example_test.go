package sources_test

import (
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

// A rule sends events to a queue: the SQS message carries the whole event,
// and the event's own id is the identity that stays the same.
func ExampleEventBridge() {
	rec := &consumer.Record{
		ID:        "059f36b4-87a3-44ab-83d2-661975830a7d",
		MessageID: "059f36b4-87a3-44ab-83d2-661975830a7d",
		Body: []byte(`{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"OrderPlaced",
			"source":"com.example.orders","time":"2026-11-21T12:22:54Z","detail":{"order_id":"A-17"}}`),
	}
	if err := sources.EventBridge(rec); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rec.ID)
	fmt.Println(rec.Type, "from", rec.Source)
	fmt.Println(string(rec.Body))

	err := sources.EventBridge(&consumer.Record{Body: []byte(`{"order_id":"A-17"}`)})
	fmt.Println(err)
	// Output:
	// 17793124-05d4-b198-2fde-7ededc63b103
	// OrderPlaced from com.example.orders
	// {"order_id":"A-17"}
	// sources: EventBridge envelope: member "id": missing; an Input, InputPath or InputTransformer on the rule's target strips the envelope: remove it, or decode no EventBridge envelope and name a business field as the key
}

// A rule sends events to a topic, and the topic to a queue.
func ExampleChain() {
	decode := sources.Chain(sources.SNS, sources.EventBridge)
	rec := &consumer.Record{Body: []byte(`{"Type":"Notification","MessageId":"22b80b92","TopicArn":"arn:aws:sns:eu-central-1:123456789012:events",
		"Message":"{\"id\":\"17793124\",\"source\":\"shop\",\"detail-type\":\"OrderPlaced\",\"detail\":{\"order_id\":\"A-17\"}}"}`)}
	fmt.Println(decode(rec))
	fmt.Println(rec.ID, string(rec.Body))
	// Output:
	// <nil>
	// 17793124 {"order_id":"A-17"}
}

// A message of a bucket may bring several records.
func ExampleS3Event() {
	parts, err := sources.S3Event(&consumer.Record{Body: []byte(`{"Records":[
		{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"orders"},"object":{"key":"a.csv","sequencer":"0055AED6DCD90281E5"}}},
		{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"orders"},"object":{"key":"b.csv","versionId":"v2"}}}]}`)})
	for _, part := range parts {
		fmt.Println(part.ID)
	}
	fmt.Println(err)
	// Output:
	// orders|a.csv||0055AED6DCD90281E5|ObjectCreated:Put
	// orders|b.csv|v2||ObjectCreated:Put
	// <nil>
}

// The input that a schedule gives to its target.
func ExampleScheduler() {
	rec := &consumer.Record{Body: []byte(`{"schedule_arn":"arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly",
		"scheduled_time":"2026-11-21T02:00:00Z","detail":{"job":"close-books"}}`)}
	fmt.Println(sources.Scheduler(rec))
	fmt.Println(rec.ID)
	fmt.Println(string(rec.Body))
	// Output:
	// <nil>
	// arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly|2026-11-21T02:00:00Z
	// {"job":"close-books"}
}
