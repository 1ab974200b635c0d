package boltdedupe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// A group of duplicates writes nothing to the file, so it costs no sync; one
// operation that changes its row makes the group a written one.
func TestDuplicatesWriteNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s := open(t, path)
	group := claims(0, 10)
	apply(t, s, group...)
	before := content(t, path)
	for range 3 {
		apply(t, s, group...) // the own claims again
	}
	for i := range group {
		group[i].Owner[0]++
	}
	apply(t, s, group...)
	if !bytes.Equal(content(t, path), before) {
		t.Error("a group that changes no row changed the file")
	}
	apply(t, s, append(group, claims(10, 1)...)...)
	if bytes.Equal(content(t, path), before) {
		t.Error("a group with one new claim did not change the file")
	}
}

// Callers at once share transactions: far fewer than one per call.
func TestCallersShareTransactions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const callers, calls = 16, 50
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				if _, err := s.Apply(t.Context(), claims(1000*c+i, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, func(tx *bbolt.Tx) error {
		if n := tx.ID(); n > callers*calls/3 {
			t.Errorf("%d transactions for %d calls, want less than a third", n, callers*calls)
		}
		if n := tx.Bucket([]byte("rows")).Stats().KeyN; n != callers*calls {
			t.Errorf("%d rows, want %d", n, callers*calls)
		}
		return nil
	})
}

// A caller that stops waiting gets its answer at once and takes nobody with
// it: the callers behind it are served, whether it was about to lead or not.
func TestCallersThatGiveUp(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "rows.db"))
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				var stop *time.Timer
				if c%2 == 0 {
					stop = time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
				}
				op := claims(1000*c+i, 1)
				_, err := s.Apply(ctx, op)
				op[0] = dedupe.Op{} // the buffer is the caller's again
				if err != nil && (c%2 == 1 || !errors.Is(err, context.Canceled)) {
					t.Errorf("caller %d: %v", c, err)
				}
				if stop != nil {
					stop.Stop()
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// Close waits for the calls in progress, and what they were told is in the
// file; calls after it get ErrClosed.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	won := make([]int, 8)
	var wg, started sync.WaitGroup
	started.Add(len(won))
	for c := range won {
		wg.Go(func() {
			for i := 0; ; i++ {
				verdicts, err := s.Apply(t.Context(), claims(10000*c+i, 1))
				if i == 0 {
					started.Done()
				}
				if err != nil {
					if !errors.Is(err, boltdedupe.ErrClosed) {
						t.Errorf("Apply while closing: %v, want ErrClosed", err)
					}
					return
				}
				if verdicts[0].Outcome == dedupe.Won {
					won[c]++
				}
			}
		})
	}
	started.Wait()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	want := 0
	for _, n := range won {
		want += n
	}
	rewrite(t, path, func(tx *bbolt.Tx) error {
		if got := tx.Bucket([]byte("rows")).Stats().KeyN; got != want {
			t.Errorf("%d rows in the file, want the %d that were won", got, want)
		}
		return nil
	})
}

// A row that cannot be read leaves its operation undecided and itself as it
// is; the rest of the group is decided.
func TestUnreadableRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	open(t, path).Close()
	bad := []byte("\x02 written by the next version")
	rewrite(t, path, func(tx *bbolt.Tx) error {
		return boltdedupe.PutStored(tx, "v1:orders:000000001", bad)
	})

	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once through the write, once through the read
		verdicts, err := s.Apply(t.Context(), claims(0, 3))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range verdicts {
			if i == 1 {
				if v.Outcome != dedupe.Undecided || !errors.Is(v.Err, boltdedupe.ErrRow) {
					t.Errorf("claim on an unreadable row: %v, %v; want undecided with ErrRow", v.Outcome, v.Err)
				}
			} else if v.Outcome != dedupe.Won {
				t.Errorf("claim beside an unreadable row: %v, %v; want won", v.Outcome, v.Err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, func(tx *bbolt.Tx) error {
		if got := tx.Bucket([]byte("rows")).Get([]byte("v1:orders:000000001")); !bytes.Equal(got, bad) {
			t.Errorf("the unreadable row became %q", got)
		}
		return nil
	})
}

// A key that bbolt cannot store is an error of its operation, not of the
// group.
func TestUnusableKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "rows.db"))
	ops := claims(0, 4)
	ops[1].Key = ""
	ops[2].Key = dedupe.Key(strings.Repeat("k", bbolt.MaxKeySize+1))
	ops[3].Key = dedupe.Key(strings.Repeat("k", bbolt.MaxKeySize))
	verdicts, err := s.Apply(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if i == 1 || i == 2 {
			if v.Outcome != dedupe.Undecided || !errors.Is(v.Err, boltdedupe.ErrKey) {
				t.Errorf("key of %d bytes: %v, %v; want undecided with ErrKey", len(ops[i].Key), v.Outcome, v.Err)
			}
		} else if v.Outcome != dedupe.Won {
			t.Errorf("key of %d bytes: %v, %v; want won", len(ops[i].Key), v.Outcome, v.Err)
		}
	}
}

// The file follows the live rows: with keys that expire as fast as they come
// it holds at most half as many rows again, and no live row is collected.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rows.db")
		s, err := boltdedupe.Open(path, boltdedupe.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const group, live = 50, 20 // groups that are live at a time
		kept := claims(0, 100)
		for i := range kept {
			kept[i].RetainEnd = kept[i].RetainEnd.Add(time.Hour)
			kept[i].Key = dedupe.Key(fmt.Sprintf("kept %d", i))
		}
		apply(t, s, kept...)
		for g := range 10 * live {
			ops := claims(1000+g*7919%1000*group, group) // not in the order of the keys
			for i := range ops {
				ops[i].LeaseEnd = dedupe.MillisOf(time.Now()).Add(live * time.Second)
				ops[i].RetainEnd = ops[i].LeaseEnd
			}
			apply(t, s, ops...)
			time.Sleep(time.Second)
		}
		for i := range kept {
			kept[i].Owner[0]++
		}
		for i, v := range apply(t, s, kept...) {
			if v.Outcome != dedupe.Busy {
				t.Errorf("claim on live row %d after the sweep: %v, want busy", i, v.Outcome)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, func(tx *bbolt.Tx) error {
			if got, most := tx.Bucket([]byte("rows")).Stats().KeyN, (group*live+len(kept))*3/2; got > most {
				t.Errorf("%d rows stored, want at most %d", got, most)
			}
			return nil
		})
	})
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file that goes bad under the store ends its use: the call that meets the
// damage and every later one get ErrFailed, even if the file is whole again,
// and nobody gets a panic.
func TestDamagedUnderUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s := open(t, path)
	apply(t, s, claims(0, 1000)...)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := int64(os.Getpagesize())
	whole := content(t, path)
	for _, b := range [][]byte{bytes.Repeat([]byte{0xa5}, int(page*20)), whole[2*page:]} {
		if _, err := f.WriteAt(b, 2*page); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(t.Context(), claims(0, 1)); !errors.Is(err, boltdedupe.ErrFailed) || !strings.Contains(err.Error(), path) {
			t.Errorf("Apply on a damaged file: %v, want ErrFailed, naming the path", err)
		}
	}
	counted(t, 1, nil)
}

// A free list that goes bad under the store, where only a writer meets it,
// makes bbolt panic, and again if bbolt itself takes the transaction back: it
// would keep its lock for ever. Close does not wait for that, and gives up the
// file.
func TestFreeListDamagedUnderUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s := open(t, path)
	apply(t, s, claims(0, 1000)...)
	whole := content(t, path)
	page, damaged := os.Getpagesize(), bytes.Clone(whole)
	for at := 2 * page; at < len(damaged); at += page {
		const flags, freeList = 8, 16 // of bbolt's pages
		if binary.NativeEndian.Uint16(damaged[at+flags:]) == freeList {
			clear(damaged[at : at+page])
		}
	}
	if err := os.WriteFile(path, damaged, 0o600); err != nil || bytes.Equal(damaged, whole) {
		t.Fatalf("nothing was damaged: %v", err)
	}
	if _, err := s.Apply(t.Context(), claims(1000, 1)); !errors.Is(err, boltdedupe.ErrFailed) {
		t.Errorf("Apply on a damaged file: %v, want ErrFailed", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close does not return")
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	counted(t, 1, nil)
}
