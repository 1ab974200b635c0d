package boltdedupe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// A file that lost its end is refused when it lost anything of the rows, and
// has them all when it lost only room that was not in use. One of no bytes is
// a new store: that is what a crash leaves right after the file was created.
func TestTruncated(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	sizes := []int{1, page - 1, page + 1, used - 1, used + 1, len(whole) - 1}
	for size := 0; size <= len(whole); size += page / 2 { // torn pages and whole ones
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			got := audit(t, whole[:size], keys)
			switch {
			case size == 0:
				if got.refused != nil || got.forgotten != len(keys) {
					t.Errorf("empty file: %+v, want a new store", got)
				}
			case size < used:
				if !errors.Is(got.refused, boltdedupe.ErrFormat) {
					t.Errorf("%d of %d used bytes: %+v, want ErrFormat", size, used, got)
				}
			case got != (audited{done: len(keys)}):
				t.Errorf("%d bytes of which %d are used: %+v, want all %d rows", size, used, got, len(keys))
			}
		})
	}
}

// A page of garbage, whatever it held, makes no completed row claimable: the
// file is refused, or the page was not in use.
func TestPageOfGarbage(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	tried := 0
	for at := 0; at < used; at += page {
		tried++
		t.Run(fmt.Sprint(at/page), func(t *testing.T) {
			got := audit(t, garbled(whole, rand.New(rand.NewPCG(1, uint64(at))), at, page), keys)
			if got.refused == nil && got != (audited{done: len(keys)}) {
				t.Errorf("%+v, want ErrFormat or all %d rows", got, len(keys))
			}
		})
	}
	counted(t, tried, nil)
}

// Pages that send their reader out of the file, with nothing else wrong with
// them, are refused; when they become so under a store, they fail the store
// and not the process.
func TestPagesThatPointAway(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	tried := 0
	for _, test := range []struct {
		name string
		away func(at int) uint32 // where the rows of the page at this place are said to be
	}{
		{"far", func(at int) uint32 { return 1<<28 + uint32(at)*4000 }}, // all over the next gigabyte
		{"nowhere", func(int) uint32 { return math.MaxUint32 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := bytes.Clone(whole)
			for at := 2 * page; at < used; at += page {
				const flags, count, leaf = 8, 10, 2 // of bbolt's pages
				const head, element, offset = 16, 16, 4
				rows := int(binary.NativeEndian.Uint16(file[at+count:]))
				if binary.NativeEndian.Uint16(file[at+flags:]) != leaf || rows < 3 { // Open reads the two buckets
					continue
				}
				for i := range rows {
					binary.NativeEndian.PutUint32(file[at+head+i*element+offset:], test.away(at))
				}
			}
			if got := audit(t, file, keys); got.refused == nil {
				t.Errorf("%+v, want ErrFormat", got)
			}
			path := filepath.Join(t.TempDir(), "under use.db")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, path)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Apply(t.Context(), claims(0, 1)); !errors.Is(err, boltdedupe.ErrFailed) {
				t.Errorf("Apply when it became so: %v, want ErrFailed", err)
			}
			tried += 2
		})
	}
	counted(t, tried, nil)
}

// Garbage within pages, down to a single bit, is refused unless it is where
// nothing is stored: no row is lost by it or becomes another.
func TestGarbageInPages(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	sum := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(2, seed))
		size := 1 + random.IntN(page/2)
		at := random.IntN(used - size)
		if random.IntN(2) == 0 { // close to the head of a page, where its structure is
			at = at / page * page
		}
		file := garbled(whole, random, at, size)
		if random.IntN(2) == 0 {
			size, file = 1, bytes.Clone(whole)
			at += random.IntN(min(200, used-at))
			file[at] ^= 1 << random.IntN(8)
		}
		got := audit(t, file, keys)
		switch {
		case t.Failed():
			t.Fatalf("seed %d: %d bytes at %d", seed, size, at)
		case got.refused != nil:
			sum["refused"]++
		case got != (audited{done: len(keys)}):
			t.Errorf("seed %d: %d bytes at %d: %+v, want ErrFormat or all %d rows", seed, size, at, got, len(keys))
		default:
			sum["harmless"]++
		}
	}
	t.Log(sum)
	counted(t, 200, sum)
}

// completedFile returns a store's file with the keys that are completed in it,
// and how many of its bytes are in use.
func completedFile(t testing.TB) (whole []byte, used int, keys []dedupe.Key) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.db")
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < 1000; first += 100 {
		ops := claims(first*7919%1000, 100) // not in the order of the keys
		apply(t, s, ops...)
		for i := range ops {
			keys = append(keys, ops[i].Key)
			ops[i].Kind, ops[i].Result = dedupe.OpComplete, shortResult(ops[i].Key)
		}
		apply(t, s, ops...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole = content(t, path)
	rewrite(t, path, func(tx *bbolt.Tx) error {
		used = int(tx.Size()) // before this transaction, which is not in whole
		return nil
	})
	return whole, used, keys
}

func shortResult(key dedupe.Key) []byte { return []byte("result of " + key) }

// garbled returns a copy of b with random bytes at one place.
func garbled(b []byte, random *rand.Rand, at, size int) []byte {
	b = bytes.Clone(b)
	for i := range size {
		b[at+i] = byte(random.Uint32())
	}
	return b
}

// audited is what became of the completed rows of a damaged file.
type audited struct {
	refused    error // of Open
	failed     error // of Apply, which ends the audit
	done       int   // rows as they were
	unreadable int   // rows with ErrRow
	forgotten  int   // rows that were not there, or as they were before they were completed
}

// audit opens a file with this content, claims each of keys, which were
// completed, writes new rows and claims the keys again. It fails the test on an
// answer that is not true, on a row that is lost by writing, and on an error
// that does not say what it is about.
func audit(t *testing.T, file []byte, keys []dedupe.Key) (got audited) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		if !errors.Is(err, boltdedupe.ErrFormat) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("Open = %v, want ErrFormat, naming the path once", err)
		}
		return audited{refused: err}
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	got = claimAgain(t, s, path, keys)
	for i := range 5 { // new rows, each beside one that is there; pages that were free are used
		ops := claims(i*200, 200)
		for i := range ops {
			ops[i].Key += " again"
		}
		if _, err := s.Apply(t.Context(), ops); err != nil {
			return wantFailed(t, got, path, err)
		}
	}
	if later := claimAgain(t, s, path, keys); later.done != got.done {
		t.Errorf("%+v, and after some transactions %+v", got, later)
	}
	return got
}

// claimAgain claims keys that were completed.
func claimAgain(t *testing.T, s *boltdedupe.Store, path string, keys []dedupe.Key) (got audited) {
	t.Helper()
	for group := range slices.Chunk(keys, 50) {
		ops := make([]dedupe.Op, len(group))
		for i, key := range group {
			ops[i] = claimBy(key, 2)
		}
		verdicts, err := s.Apply(t.Context(), ops)
		if err != nil {
			return wantFailed(t, got, path, err)
		}
		for i, v := range verdicts {
			switch {
			case v.Outcome == dedupe.Done && bytes.Equal(v.Row.Result, shortResult(group[i])):
				got.done++
			case v.Outcome == dedupe.Undecided && errors.Is(v.Err, boltdedupe.ErrRow):
				got.unreadable++
			case v.Outcome == dedupe.Won, v.Outcome == dedupe.Busy:
				got.forgotten++
			default:
				t.Errorf("claim of completed key %s: %v with result %q, %v", group[i], v.Outcome, v.Row.Result, v.Err)
			}
		}
	}
	return got
}

func wantFailed(t *testing.T, got audited, path string, err error) audited {
	t.Helper()
	if !errors.Is(err, boltdedupe.ErrFailed) || strings.Count(err.Error(), path) != 1 {
		t.Errorf("Apply = %v, want ErrFailed, naming the path once", err)
	}
	got.failed = err
	return got
}
