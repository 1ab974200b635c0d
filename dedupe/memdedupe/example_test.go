package memdedupe_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

func Example() {
	ctx, store := context.Background(), memdedupe.New()

	first := dedupe.Op{
		Kind:      dedupe.OpClaim,
		Key:       "v1:orders:o-1",
		Owner:     dedupe.Owner{1},
		LeaseEnd:  dedupe.MillisOf(time.Now().Add(time.Minute)),
		RetainEnd: dedupe.MillisOf(time.Now().Add(24 * time.Hour)),
	}
	second := first
	second.Owner = dedupe.Owner{2}
	done := first
	done.Kind = dedupe.OpComplete

	verdicts, err := store.Apply(ctx, []dedupe.Op{first, second, done, second})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range verdicts {
		fmt.Println(v.Outcome)
	}
	// Output:
	// won
	// busy
	// applied
	// done
}
