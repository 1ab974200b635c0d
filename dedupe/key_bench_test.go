package dedupe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The cost of a key as a guard makes it: one KeyWriter, many records.
func BenchmarkKey(b *testing.B) {
	order := `{"order_id":"7e3f8a52-6c0b-4d1e-9a2f-0b1c2d3e4f50","tenant":"acme","amount":{"value":"12.50","currency":"EUR"},` +
		`"lines":[{"sku":"a-1","n":2},{"sku":"b-2","n":1}],"placed":"2026-11-21T10:00:00Z","note":"leave it"}`
	big := `{"blob":"` + strings.Repeat("x", 1<<20) + `","order_id":"z"}`
	var members strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&members, `"member%d":%d,`, i, i)
	}
	wide := `{` + members.String() + `"order_id":"z"}`
	for _, c := range []struct {
		name string
		fn   dedupe.KeyFunc
		body string
	}{
		{"ID", dedupe.ID, order},
		{"Attribute", dedupe.Attribute("tenant"), order},
		{"BodyHash200B", dedupe.BodyHash, order},
		{"Field200B", dedupe.Field("/order_id"), order},
		{"Field200BTwo", dedupe.Field("/tenant", "/amount/currency"), order},
		{"Field1MiB", dedupe.Field("/order_id"), big},
		{"Field50kMembers", dedupe.Field("/order_id"), wide},
	} {
		b.Run(c.name, func(b *testing.B) {
			k := dedupe.NewKeyer("orders", c.fn)
			rec := &consumer.Record{
				ID:         "7e3f8a52-6c0b-4d1e-9a2f-0b1c2d3e4f50",
				Attributes: map[string]string{"tenant": "acme"},
				Body:       []byte(c.body),
			}
			var w dedupe.KeyWriter
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Key(&w, rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
