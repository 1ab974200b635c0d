package dedupe_test

import (
	"context"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// Under Reprocess each replay runs finished work once more, live deliveries
// keep the key that they have without it; else a replay is skipped.
func TestReprocess(t *testing.T) {
	for _, row := range []struct {
		reprocess bool
		runs      int
	}{{false, 1}, {true, 3}} {
		store := memdedupe.New()
		keys := map[string]bool{}
		runs := 0
		h := consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			claim, _ := dedupe.FromContext(ctx)
			keys[claim.Key] = true
			runs++
			return nil
		})
		deliver := func(reprocess bool, replay string) {
			guard := dedupe.New(store, dedupe.Options{Consumer: "test", Reprocess: reprocess})
			if guard.Reprocesses() != reprocess {
				t.Errorf("got Reprocesses %v, want %v", guard.Reprocesses(), reprocess)
			}
			if err := guard.Middleware()(h).HandleRecord(t.Context(), &consumer.Record{ID: "e1", Replay: replay}); err != nil {
				t.Error(err)
			}
		}
		deliver(false, "") // finished before the policy was chosen
		for _, replay := range []string{"", "r1", "r1", "r2", ""} {
			deliver(row.reprocess, replay)
		}
		if runs != row.runs || len(keys) != row.runs {
			t.Errorf("reprocess %v: got %d runs of %d keys, want %d", row.reprocess, runs, len(keys), row.runs)
		}
	}
	var none *dedupe.Guard
	if none.Reprocesses() {
		t.Error("no guard reprocesses")
	}
}
