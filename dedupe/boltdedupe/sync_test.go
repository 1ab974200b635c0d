package boltdedupe_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// Every transaction waits for the disk: an answer that a power failure could
// take back is none.
func TestSyncs(t *testing.T) {
	if s := open(t, filepath.Join(t.TempDir(), "rows.db")); !boltdedupe.Syncs(s) {
		t.Error("the file is written without waiting for the disk")
	}
}

// A duplicate of work whose completion is not on disk yet waits until it is:
// acknowledged before, it would be lost with the power.
func TestUnsyncedIsNoAnswer(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "rows.db"))
	claim := claimBy("k", 1)
	done := claim
	done.Kind = dedupe.OpComplete
	apply(t, s, claim)
	apply(t, s, done)
	synced, err := boltdedupe.Unsynced(s)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		vs, err := s.Apply(t.Context(), []dedupe.Op{claimBy("k", 2)})
		if err == nil && vs[0].Outcome != dedupe.Done {
			t.Errorf("claim of completed work: %v, want done", vs[0].Outcome)
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("answered with error %v before the completion was on disk", err)
		answer <- err
	case <-time.After(100 * time.Millisecond):
	}
	if err := synced(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}
