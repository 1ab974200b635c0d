package dynamodedupe_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// What claiming and completing a group costs, the server in process included.
func BenchmarkGroup(b *testing.B) {
	for _, n := range []int{1, 10, 25, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := ddbtest.New(ddbtest.Options{})
			client := server.Client()
			if err := dynamodedupe.CreateTable(b.Context(), client, table); err != nil {
				b.Fatal(err)
			}
			store := dynamodedupe.New(client, table)
			b.ReportAllocs()
			for b.Loop() {
				ops := claims(1, n)
				prefix := dedupe.Key(rand.Text())
				for i := range ops {
					ops[i].Key = prefix + ops[i].Key
				}
				for _, group := range [][]dedupe.Op{ops, ended(dedupe.OpComplete, ops)} {
					if _, err := store.Apply(b.Context(), group); err != nil {
						b.Fatal(err)
					}
				}
				server.Reset()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(time.Microsecond)/float64(b.N*n), "us/record")
		})
	}
}
