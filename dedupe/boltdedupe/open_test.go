package boltdedupe_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// A second opener is told that the file is in use, by its path and quickly,
// and can open it once the first has closed it.
func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	first, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantOpenError(t, path, boltdedupe.ErrLocked)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// Of those who open a file at once one gets it, and the others are told that
// it is in use: none takes for damage what it is writing.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	for round := range 10 {
		stores, errs := make([]*boltdedupe.Store, 8), make([]error, 8)
		var all sync.WaitGroup
		for i := range stores {
			all.Go(func() {
				for try := range 20 {
					stores[i], errs[i] = boltdedupe.Open(path, boltdedupe.Options{LockTimeout: time.Nanosecond})
					if errs[i] == nil {
						for n := range 20 {
							apply(t, stores[i], claims(round*10000+try*1000+n*20, 20)...)
						}
						return
					}
				}
			})
		}
		all.Wait()
		got := 0
		for i, s := range stores {
			if errs[i] == nil {
				got++
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			} else if !errors.Is(errs[i], boltdedupe.ErrLocked) {
				t.Errorf("round %d: %v, want ErrLocked", round, errs[i])
			}
		}
		if got != 1 {
			t.Errorf("round %d: %d got the file, want one", round, got)
		}
	}
}

// Open makes files that only their owner can read: keys and results may be
// personal data.
func TestOpenFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of a new file = %o, want 600", got)
	}
}

// Open makes no directories and says what is wrong with a path: a typing
// error must not become an empty store somewhere else.
func TestOpenBadPath(t *testing.T) {
	dir := t.TempDir()
	wantOpenError(t, filepath.Join(dir, "no", "rows.db"), fs.ErrNotExist)
	wantOpenError(t, dir, syscall.EISDIR)

	readOnly := filepath.Join(dir, "readonly.db")
	if err := os.WriteFile(readOnly, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // root may write anything
		wantOpenError(t, readOnly, fs.ErrPermission)
	}
}

// A file that is not a store of this version is refused and not touched,
// whoever wrote it and however it was damaged.
func TestOpenForeignFile(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "ours.db")
	s, err := boltdedupe.Open(ours, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, claims(0, 1000)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	edited := func(edit func(tx *bbolt.Tx) error) []byte {
		path := filepath.Join(t.TempDir(), "edited.db")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, edit)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	rewrite(t, foreign, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	})
	theirs, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name    string
		content []byte
	}{
		{"text", []byte(strings.Repeat("not a database\n", 1000))},
		{"short text", []byte("x")},
		{"zeros", make([]byte, 1<<16)},
		{"another program's database", theirs},
		{"older format", edited(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("onlyonce")).Put([]byte("format"), []byte("1"))
		})},
		{"newer format", edited(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("onlyonce")).Put([]byte("format"), []byte("3"))
		})},
		{"no rows", edited(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("rows")) })},
		{"truncated to a half", whole[:len(whole)/2]},
		{"truncated to its head", whole[:2*os.Getpagesize()]},
		{"pages overwritten", append(bytes.Clone(whole[:2*os.Getpagesize()]),
			bytes.Repeat([]byte{0xa5}, len(whole)-2*os.Getpagesize())...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rows.db")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			wantOpenError(t, path, boltdedupe.ErrFormat)
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, test.content) {
				t.Error("Open changed a file that it refused")
			}
			wantOpenError(t, path, boltdedupe.ErrFormat) // not ErrLocked: the first try let go
		})
	}
}

// What was decided before the store was closed stands when it is opened
// again.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	ops := claims(0, 2)
	done := ops[0]
	done.Kind, done.Result = dedupe.OpComplete, []byte("result")

	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, ops...)
	apply(t, s, done)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for i := range ops {
		ops[i].Owner[0]++
	}
	got := apply(t, open(t, path), ops...)
	if got[0].Outcome != dedupe.Done || string(got[0].Row.Result) != "result" || got[1].Outcome != dedupe.Busy {
		t.Errorf("after reopening: %v with result %q, and %v; want done with the result, and busy",
			got[0].Outcome, got[0].Row.Result, got[1].Outcome)
	}
}

// rewrite changes the file at path with bbolt itself.
func rewrite(t testing.TB, path string, edit func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(edit), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func wantOpenError(t *testing.T, path string, want error) {
	t.Helper()
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err == nil {
		t.Fatalf("Open(%s) succeeded, want an error: %v", path, errors.Join(want, s.Close()))
	}
	if want != nil && !errors.Is(err, want) || strings.Count(err.Error(), path) != 1 {
		t.Errorf("Open(%s) = %v\nwant %v, naming the path once", path, err, want)
	}
}
