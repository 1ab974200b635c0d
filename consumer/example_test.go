package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

type Order struct {
	ID    string `json:"order_id"`
	Total int    `json:"total"`
}

// A handler over one's own type. A body that is no Order can never become
// one: that failure is permanent.
func ExampleJSON() {
	place := func(ctx context.Context, o Order) error {
		fmt.Printf("placed %s for %d\n", o.ID, o.Total)
		return nil
	}
	h := consumer.JSON(place)

	for _, body := range []string{`{"order_id":"A-17","total":250}`, `{"order_id":`} {
		err := h.HandleRecord(context.Background(), &consumer.Record{Body: []byte(body)})
		fmt.Println(err, consumer.IsPermanent(err))
	}
	// Output:
	// placed A-17 for 250
	// <nil> false
	// permanent: consumer: body: unexpected end of JSON input true
}

// The first middleware is the outermost.
func ExampleChain() {
	h := consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		_, limited := ctx.Deadline()
		fmt.Println("handling", rec.ID, "with a deadline:", limited)
		panic("out of stock")
	})
	named := func(next consumer.Handler) consumer.Handler {
		return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			err := next.HandleRecord(ctx, rec)
			fmt.Println(rec.ID, "ended:", err)
			return err
		})
	}
	chain := consumer.Chain(h, named, consumer.Recover(), consumer.Timeout(20*time.Second))

	_ = chain.HandleRecord(context.Background(), &consumer.Record{ID: "m-1"})
	// Output:
	// handling m-1 with a deadline: true
	// m-1 ended: panicked: out of stock
}

// Each type of event has its handler.
func ExampleMux() {
	var mux consumer.Mux
	mux.Handle("OrderPlaced", consumer.JSON(func(ctx context.Context, o Order) error {
		fmt.Println("placed", o.ID)
		return nil
	}))
	mux.Handle("OrderCancelled", consumer.JSON(func(ctx context.Context, o Order) error {
		fmt.Println("cancelled", o.ID)
		return nil
	}))

	for _, typ := range []string{"OrderPlaced", "OrderCancelled", "OrderShipped"} {
		rec := &consumer.Record{Type: typ, Body: []byte(`{"order_id":"A-17"}`)}
		if err := mux.HandleRecord(context.Background(), rec); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// placed A-17
	// cancelled A-17
	// consumer: no handler for type "OrderShipped"
}

// The next system said when to come again.
func ExampleRetryAfter() {
	err := consumer.RetryAfter(30*time.Second, errors.New("payments: busy"))

	if retry, ok := errors.AsType[*consumer.RetryError](err); ok {
		fmt.Println(retry.After)
	}
	fmt.Println(err)
	// Output:
	// 30s
	// payments: busy (retry after 30s)
}

// An observer that counts.
func ExampleObserverFunc() {
	counts := map[string]int{}
	o := consumer.ObserverFunc(func(_ context.Context, e consumer.Event) { counts[e.EventName()]++ })

	o.Observe(context.Background(), consumer.Claimed{Key: "v1/s6:orders/s4:A-17", Claims: 1})
	o.Observe(context.Background(), consumer.Duplicate{Key: "v1/s6:orders/s4:A-17"})
	fmt.Println(counts)
	// Output:
	// map[claimed:1 duplicate:1]
}
