package boltdedupe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Options configures [Open].
type Options struct {
	// LockTimeout is how long Open waits for another process to close the
	// file. Defaults to one second.
	LockTimeout time.Duration
}

// Store is a [dedupe.Store] in one file. Open makes one; the caller closes it.
type Store struct {
	path string
	db   *bbolt.DB
	file *os.File       // that of db
	busy sync.WaitGroup // calls of Apply in progress; Close waits for them

	// synced is the id of the last transaction known to be on disk. bbolt
	// shows a transaction to readers before its last sync, so a reader that
	// meets a later one must not answer from it.
	synced atomic.Int64

	mu      sync.Mutex
	closed  bool     // no call may begin
	failed  error    // an ErrFailed: no call may begin, and no transaction
	leading bool     // somebody writes, or was told to
	queue   []*group // waiting to be written; empty unless leading

	stuck atomic.Bool // a transaction can never end: db cannot be closed

	sweep sweeper // used only inside write transactions
}

var _ dedupe.Store = (*Store)(nil)

// Apply applies ops as [dedupe.Store] says. When ctx ends while they wait for
// their turn they are withdrawn; when it ends while they are being written,
// Apply returns at once with every operation undecided, unless this call is
// the one that writes: that takes as long as the disk takes to sync.
func (s *Store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	for i := range ops {
		if k := ops[i].Kind; k < dedupe.OpClaim || k > dedupe.OpRelease {
			panic("boltdedupe: Apply: unknown operation " + k.String())
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("boltdedupe: apply: %w", err)
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.busy.Done()

	if verdicts, err := s.read(ops); verdicts != nil || err != nil {
		return verdicts, err
	}
	return s.write(ctx, newGroup(ops))
}

// Close waits for the calls in progress and closes the file. Later calls of
// Apply return [ErrClosed]; later calls of Close return nil.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.busy.Wait()
	if err := s.closeFile(); err != nil {
		return fmt.Errorf("boltdedupe: close %s: %w", s.path, err)
	}
	return nil
}

// closeFile closes the file and lets others open it.
func (s *Store) closeFile() error {
	if s.stuck.Load() { // bbolt would wait for its own lock; what it has mapped ends with the process
		return errors.Join(unlock(s.file), s.file.Close())
	}
	return s.db.Close()
}

// begin counts a call in, unless the store is closed or failed. It is under
// the lock that Close takes, so that no call begins when Close waits.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.failed != nil {
		return s.failed
	}
	s.busy.Add(1)
	return nil
}

// fail ends the store's use after an error of the file and returns what every
// call gets from now on.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %s: %w", ErrFailed, s.path, cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	return s.failed
}
