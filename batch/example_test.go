package batch_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

func ExampleProcessor_Process() {
	bank := errors.New("bank is closed")
	var charged []string // no lock: one group runs one after another
	charge := consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		if rec.ID == "o-2" && bank != nil {
			return bank
		}
		charged = append(charged, rec.ID)
		return nil
	})
	guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "billing"})
	p := batch.New(guard, charge, batch.Options{})

	// Three records of one customer, in order, delivered twice.
	for range 2 {
		recs := []*consumer.Record{
			{ID: "o-1", Group: "ann", Ordered: true},
			{ID: "o-2", Group: "ann", Ordered: true},
			{ID: "o-3", Group: "ann", Ordered: true},
		}
		for rec, err := range p.Process(context.Background(), recs) {
			if err != nil {
				fmt.Printf("%s comes back: %v\n", rec.ID, err)
				continue
			}
			fmt.Println(rec.ID, "is done")
		}
		fmt.Println("charged so far:", charged)
		bank = nil
	}
	// Output:
	// o-1 is done
	// o-2 comes back: bank is closed
	// o-3 comes back: not started: batch: an earlier record of the message group failed
	// charged so far: [o-1]
	// o-1 is done
	// o-2 is done
	// o-3 is done
	// charged so far: [o-1 o-2 o-3]
}
