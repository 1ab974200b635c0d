package dedupe_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

type order struct {
	ID string `json:"order_id"`
}

// A loop of your own hands each message to the wrapped handler and
// acknowledges it when the answer is nil.
func ExampleGuard_Middleware() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{
		Consumer: "orders",
		Key:      dedupe.Field("/order_id"),
	})
	place := func(_ context.Context, o order) error {
		fmt.Println("placing", o.ID)
		return nil
	}
	h := consumer.Chain(consumer.JSON(place), guard.Middleware())

	// The producer sent the order twice: other messages, the same work.
	for _, rec := range []*consumer.Record{
		{ID: "m-1", Body: []byte(`{"order_id":"o-7"}`)},
		{ID: "m-2", Body: []byte(`{"order_id":"o-7"}`)},
		{ID: "m-3", Body: []byte(`{"order":"o-8"}`)},
	} {
		err := h.HandleRecord(context.Background(), rec)
		fmt.Println(rec.ID, "acknowledge:", err == nil, "no key:", errors.Is(err, dedupe.ErrNoKey))
	}
	// Output:
	// placing o-7
	// m-1 acknowledge: true no key: false
	// m-2 acknowledge: true no key: false
	// m-3 acknowledge: false no key: true
}

// A handler passes the key on, so that the next system applies the work once
// even if this worker dies between the call and its recording.
func ExampleFromContext() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders"})
	h := consumer.Chain(consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		claim, _ := dedupe.FromContext(ctx)
		fmt.Println("Idempotency-Key:", claim.Key)
		fmt.Println("claims:", claim.Claims, "failed before:", claim.Failures)
		if claim.Claims == 1 {
			return errors.New("card terminal is busy")
		}
		return nil
	}), guard.Middleware())

	rec := &consumer.Record{ID: "5f2c"}
	fmt.Println(h.HandleRecord(context.Background(), rec))
	fmt.Println(h.HandleRecord(context.Background(), rec))
	// Output:
	// Idempotency-Key: v1/s6:orders/s4:5f2c
	// claims: 1 failed before: 0
	// card terminal is busy
	// Idempotency-Key: v1/s6:orders/s4:5f2c
	// claims: 2 failed before: 1
	// <nil>
}

// Step is the protocol as a pure function: here a worker is overtaken, and
// what it sends afterwards changes nothing.
func ExampleStep() {
	a, b := dedupe.Owner{1}, dedupe.Owner{2}
	var row dedupe.Row
	var v dedupe.Verdict
	row, v = dedupe.Step(row, 1000, dedupe.Op{Kind: dedupe.OpClaim, Owner: a, LeaseEnd: 2000, RetainEnd: 9000})
	fmt.Println("a claims:", v.Outcome)
	row, v = dedupe.Step(row, 2000, dedupe.Op{Kind: dedupe.OpClaim, Owner: b, LeaseEnd: 3000, RetainEnd: 9000})
	fmt.Println("b claims after a's lease:", v.Outcome)
	row, v = dedupe.Step(row, 2100, dedupe.Op{Kind: dedupe.OpComplete, Owner: a, RetainEnd: 9000})
	fmt.Println("a completes:", v.Outcome)
	row, v = dedupe.Step(row, 2200, dedupe.Op{Kind: dedupe.OpComplete, Owner: b, RetainEnd: 9000})
	fmt.Println("b completes:", v.Outcome, row.State)
	// Output:
	// a claims: won
	// b claims after a's lease: won
	// a completes: lost
	// b completes: applied COMPLETED
}

// A payment that a client may ask for again, under the id that it made: the
// second call gets the first one's receipt.
func ExampleDo() {
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "payments"})
	ctx := context.Background()
	pay := func(ctx context.Context) (string, error) { return "receipt 4711", nil }
	for range 2 {
		receipt, replayed, err := dedupe.Do(ctx, guard, "request-1", pay)
		fmt.Println(receipt, replayed, err)
	}
	// Output:
	// receipt 4711 false <nil>
	// receipt 4711 true <nil>
}
