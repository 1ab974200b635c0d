package memdedupe_test

import (
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// The store keeps every rule of the protocol.
func TestConformance(t *testing.T) {
	dedupetest.Run(t, dedupetest.Harness{
		New:      func(*testing.T) dedupe.Store { return new(memdedupe.Store) },
		Synctest: true,
	})
}
