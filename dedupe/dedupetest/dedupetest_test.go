package dedupetest_test

import (
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// The suite passes a store that executes Step itself, on both clocks: it asks
// for nothing that the protocol does not say.
func TestRunOnMemory(t *testing.T) {
	fresh := func(*testing.T) dedupe.Store { return memdedupe.New() }
	t.Run("synctest", func(t *testing.T) {
		dedupetest.Run(t, dedupetest.Harness{New: fresh, Synctest: true})
	})
	t.Run("real time", func(t *testing.T) {
		dedupetest.Run(t, dedupetest.Harness{New: fresh})
	})
}
