package zapobserver_test

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
)

// In a program the logger is zap.NewProduction or your own, and the observer
// goes into the options of what it watches.
func ExampleNew() {
	o := zapobserver.New(zap.NewExample())

	order := &consumer.Record{ID: "m-1", Source: "orders-queue", Attempt: 2, Body: []byte(`{"order_id":"A-17"}`)}
	key := "v1/s6:orders/s4:A-17"
	ctx := context.Background()
	o.Observe(ctx, consumer.Duplicate{Record: order, Key: key})
	o.Observe(ctx, consumer.Failed{Record: order, Err: consumer.Permanent(errors.New("card declined"))})
	// Output:
	// {"level":"info","msg":"finished before, not run","event":"duplicate","record_id":"m-1","source":"orders-queue","attempt":2,"key":"v1/s6:orders/s4:A-17","in_process":false}
	// {"level":"warn","msg":"failed, comes back","event":"failed","record_id":"m-1","source":"orders-queue","attempt":2,"err":"permanent: card declined","permanent":true}
}
