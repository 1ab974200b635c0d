package dedupe_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// One order is one piece of work, however often and in whatever envelope it
// arrives.
func ExampleField() {
	key := dedupe.Field("/order_id")

	for _, body := range []string{
		`{"order_id": 12345678901234567890, "note": "first"}`,
		`{"note": "sent again", "order_id": 12345678901234567890}`,
		`{"order_id": null}`,
	} {
		k, err := dedupe.KeyOf("orders", key, &consumer.Record{Body: []byte(body)})
		fmt.Println(k, err, errors.Is(err, dedupe.ErrNoKey))
	}
	// Output:
	// v1/s6:orders/n20:12345678901234567890 <nil> false
	// v1/s6:orders/n20:12345678901234567890 <nil> false
	//  dedupe: no idempotency key ("/order_id") true
}

// Order numbers of two tenants may be equal: the tenant, sent as a message
// attribute, is part of the key.
func ExampleJoin() {
	key := dedupe.Join(dedupe.Attribute("tenant"), dedupe.Field("/order_id"))

	k, err := dedupe.KeyOf("orders", key, &consumer.Record{
		Attributes: map[string]string{"tenant": "acme"},
		Body:       []byte(`{"order_id": "A-17"}`),
	})
	fmt.Println(k, err)
	// Output:
	// v1/s6:orders/s4:acme/s4:A-17 <nil>
}

// A KeyFunc of one's own writes what identifies the work.
func ExampleKeyFunc() {
	perDay := func(w *dedupe.KeyWriter, rec *consumer.Record) error {
		w.String(rec.Group)
		w.String(rec.Time.UTC().Format("2006-01-02"))
		return nil
	}

	k, err := dedupe.KeyOf("reports", perDay, &consumer.Record{
		Group: "acme",
		Time:  time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	})
	fmt.Println(k, err)
	// Output:
	// v1/s7:reports/s4:acme/s10:2026-11-21 <nil>
}
