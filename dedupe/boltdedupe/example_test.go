package boltdedupe_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rows.db")

	for _, worker := range []byte{1, 2} { // the second one after a restart
		store, err := boltdedupe.Open(path, boltdedupe.Options{})
		if err != nil {
			panic(err)
		}
		claim := dedupe.Op{
			Kind:      dedupe.OpClaim,
			Key:       "v1:orders:o-1",
			Owner:     dedupe.Owner{worker},
			LeaseEnd:  dedupe.MillisOf(time.Now().Add(time.Minute)),
			RetainEnd: dedupe.MillisOf(time.Now().Add(24 * time.Hour)),
		}
		done := claim
		done.Kind = dedupe.OpComplete
		verdicts, err := store.Apply(context.Background(), []dedupe.Op{claim, done})
		if err != nil {
			panic(err)
		}
		fmt.Println(verdicts[0].Outcome, verdicts[1].Outcome)
		if err := store.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// won applied
	// done lost
}
