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
