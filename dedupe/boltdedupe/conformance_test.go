package boltdedupe_test

import (
	"path/filepath"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
)

// The store keeps every rule of the protocol, at the exact bounds too.
func TestConformance(t *testing.T) {
	dedupetest.Run(t, dedupetest.Harness{
		New:      func(t *testing.T) dedupe.Store { return open(t, filepath.Join(t.TempDir(), "rows.db")) },
		Synctest: true,
	})
}
