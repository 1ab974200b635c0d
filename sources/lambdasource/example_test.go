package lambdasource_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

type Order struct {
	ID string `json:"order_id"`
}

func place(_ context.Context, o Order) error {
	if o.ID == "A-18" {
		return errors.New("card refused")
	}
	fmt.Println("placed", o.ID)
	return nil
}

const records = `{"Records":[
	{"messageId":"m1","body":"{\"order_id\":\"A-17\"}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders"},
	{"messageId":"m2","body":"{\"order_id\":\"A-18\"}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders"},
	{"messageId":"m3","body":"{\"order_id\":\"A-17\"}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders"}]}`

// A function behind an SQS queue. The producer sent A-17 twice.
func ExampleSQS() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
	handler := lambdasource.SQS(guard, consumer.JSON(place))
	// lambda.Start(handler) does this with each payload:
	response, err := handler.Invoke(context.Background(), []byte(records))
	fmt.Println(string(response), err)
	// Output:
	// placed A-17
	// {"batchItemFailures":[{"itemIdentifier":"m2"}]} <nil>
}

// A rule sends its events to the queue: the id of the event is what makes two
// messages the same work.
func ExampleSQS_eventBridge() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders"})
	handler := lambdasource.SQS(guard, consumer.JSON(place), lambdasource.Options{Decode: sources.EventBridge})
	message := func(id string) string {
		return `{"messageId":"` + id + `","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders",` +
			`"body":"{\"id\":\"17793124\",\"source\":\"shop\",\"detail-type\":\"OrderPlaced\",\"detail\":{\"order_id\":\"A-17\"}}"}`
	}
	response, err := handler.Invoke(context.Background(), []byte(`{"Records":[`+message("m1")+`,`+message("m2")+`]}`))
	fmt.Println(string(response), err)
	// Output:
	// placed A-17
	// {"batchItemFailures":[]} <nil>
}

// A function that is the target of an EventBridge rule. The event comes twice,
// as it may; then one comes that fails.
func ExampleEventBridge() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
	handler := lambdasource.EventBridge(guard, consumer.JSON(place))
	for _, order := range []string{"A-17", "A-17", "A-18"} {
		// lambda.Start(handler) does this with each payload:
		response, err := handler.Invoke(context.Background(), []byte(`{"id":"event-of-`+order+
			`","source":"shop","detail-type":"OrderPlaced","detail":{"order_id":"`+order+`"}}`))
		fmt.Println(string(response), err)
	}
	// Output:
	// placed A-17
	// null <nil>
	// null <nil>
	//  record event-of-A-18: card refused
}

// A payload that is not what the handler reads fails and says what to do.
func ExamplePayloadError() {
	_, err := lambdasource.EventBridge(nil, consumer.JSON(place)).Invoke(context.Background(), []byte(records))
	if e, ok := errors.AsType[*lambdasource.PayloadError](err); ok {
		fmt.Println("got", e.Got)
		fmt.Println(e.Do)
	}
	// Output:
	// got an object with Records
	// use lambdasource.SQS for an SQS event source mapping
}

// A function behind a Kinesis stream. Records of one key keep their order, so
// nothing of it runs behind the record that fails.
func ExampleKinesis() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders"})
	handler := lambdasource.Kinesis(guard, consumer.JSON(place))
	record := func(sequence, key, order string) string {
		data := base64.StdEncoding.EncodeToString([]byte(`{"order_id":"` + order + `"}`))
		return `{"eventSource":"aws:kinesis","eventName":"aws:kinesis:record","eventID":"shardId-000000000006:` + sequence + `",` +
			`"eventSourceARN":"arn:aws:kinesis:eu-central-1:123456789012:stream/orders",` +
			`"kinesis":{"partitionKey":"` + key + `","sequenceNumber":"` + sequence + `","data":"` + data + `"}}`
	}
	payload := `{"Records":[` + record("101", "north", "A-18") + `,` + record("102", "north", "A-19") + `,` + record("103", "south", "A-17") + `]}`
	response, err := handler.Invoke(context.Background(), []byte(payload))
	fmt.Println(string(response), err)
	// Output:
	// placed A-17
	// {"batchItemFailures":[{"itemIdentifier":"101"}]} <nil>
}
