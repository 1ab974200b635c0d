package emfobserver_test

import (
	"context"
	"os"
	"regexp"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/emfobserver"
)

// A worker's guard and batches count in CloudWatch, and log as well with
// consumer.Observers. Here their events are made by hand.
func ExampleNew() {
	metrics := emfobserver.New(timeless{}, emfobserver.Options{Consumer: "orders"}) // a Lambda function gives os.Stdout
	observer := consumer.Observers(metrics)                                         // dedupe.Options{Observer: observer}
	for _, e := range []consumer.Event{
		consumer.Completed{}, consumer.Completed{}, consumer.Duplicate{},
		consumer.BatchDone{Records: 3, Done: 3},
	} {
		observer.Observe(context.Background(), e)
	}
	// Output:
	// {"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"onlyonce","Dimensions":[["Consumer","Outcome"]],"Metrics":[{"Name":"Events","Unit":"Count"}]}]},"Consumer":"orders","Outcome":"completed","Events":2}
	// {"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"onlyonce","Dimensions":[["Consumer","Outcome"]],"Metrics":[{"Name":"Events","Unit":"Count"}]}]},"Consumer":"orders","Outcome":"done","Events":3}
	// {"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"onlyonce","Dimensions":[["Consumer","Outcome"]],"Metrics":[{"Name":"Events","Unit":"Count"}]}]},"Consumer":"orders","Outcome":"duplicate","Events":1}
}

// timeless is standard output at the beginning of time.
type timeless struct{}

func (timeless) Write(b []byte) (int, error) {
	_, err := os.Stdout.Write(regexp.MustCompile(`"Timestamp":\d+`).ReplaceAll(b, []byte(`"Timestamp":0`)))
	return len(b), err
}
