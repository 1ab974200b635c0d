package dynamodedupe_test

import (
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dedupetest"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

const table = "dedupe"

// The store keeps every rule of the protocol, with statements and with single
// items, and whether or not a failed statement returns the old item.
func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		server ddbtest.Options
		store  dynamodedupe.Options
	}{
		"statements":              {},
		"statements, no old item": {server: ddbtest.Options{NoOldItem: true}},
		"single items":            {server: ddbtest.Options{NoPartiQL: true}, store: dynamodedupe.Options{SingleItem: true}},
	} {
		t.Run(name, func(t *testing.T) {
			dedupetest.Run(t, dedupetest.Harness{
				New: func(t *testing.T) dedupe.Store {
					s := newServer(t, c.server)
					return dynamodedupe.New(s.Client(), table, c.store)
				},
				Synctest: true,
			})
		})
	}
}

// newServer returns a server with the table.
func newServer(t *testing.T, o ddbtest.Options) *ddbtest.Server {
	t.Helper()
	s := ddbtest.New(o)
	if err := dynamodedupe.CreateTable(t.Context(), s.Client(), table); err != nil {
		t.Fatal(err)
	}
	s.Reset()
	return s
}
