package dynamodedupe_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

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

// The rules hold as well while requests are dropped, statements throttled and
// reads left unprocessed: what is retried is not applied twice.
func TestConformanceWithFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: its waits are real")
	}
	for name, single := range map[string]bool{"statements": false, "single items": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			r := rand.New(rand.NewPCG(1, 2))
			fault := func(req ddbtest.Request) (a ddbtest.Action) {
				mu.Lock()
				defer mu.Unlock()
				if req.Attempt > 1 || r.IntN(20) > 0 {
					return a
				}
				switch i := r.IntN(max(1, len(req.Keys))); r.IntN(3) {
				case 0:
					a.DropRequest = true
				case 1:
					a.Err = &ddbtest.Error{Code: "ThrottlingException"}
				default:
					a.FailStatements = map[int]*ddbtest.Error{i: {Code: "ThrottlingError"}}
					a.Unprocessed = map[int]bool{i: true}
				}
				return a
			}
			dedupetest.Run(t, dedupetest.Harness{New: func(t *testing.T) dedupe.Store {
				s := newServer(t, ddbtest.Options{NoOldItem: true})
				s.Fault(fault)
				return dynamodedupe.New(s.Client(), table, dynamodedupe.Options{SingleItem: single, Concurrency: 16, Timeout: 20 * time.Second})
			}})
		})
	}
}
