package boltdedupe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// Of bbolt's pages: a head of 16 bytes, then for each element of a branch 16,
// of which the last 8 say on which page it continues.
const (
	pageFlags, pageCount = 8, 10
	pageHead             = 16
	elementSize          = 16
	elementPage          = 8

	branchFlag, freelistFlag = 0x01, 0x10
)

// pagesOf returns where the pages with that flag begin, of those in use.
func pagesOf(file []byte, used int, flag uint16) (at []int) {
	page := os.Getpagesize()
	for n := 2 * page; n+page <= used; n += page {
		if binary.NativeEndian.Uint16(file[n+pageFlags:]) == flag && binary.NativeEndian.Uint64(file[n:]) == uint64(n/page) {
			at = append(at, n)
		}
	}
	return at
}

// A file whose pages lead back to themselves, or where two lead to one, is
// refused when it is opened: bbolt would follow them until the process dies of
// it, or write one over the other.
func TestPagesThatLeadBack(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	branches := pagesOf(whole, used, branchFlag)
	// One that is in use, and not left over from an earlier transaction, makes
	// a difference.
	refused := 0
	for _, at := range branches {
		count := int(binary.NativeEndian.Uint16(whole[at+pageCount:]))
		for _, element := range []int{0, count / 2, count - 1} {
			place := at + pageHead + element*elementSize + elementPage
			other := at + pageHead + (element+1)%count*elementSize + elementPage
			for what, to := range map[string]uint64{
				"itself": uint64(at / page), "its neighbour": binary.NativeEndian.Uint64(whole[other:]), "the head": 0, "nowhere": 1 << 40, "the end": uint64(used / page),
			} {
				file := bytes.Clone(whole)
				binary.NativeEndian.PutUint64(file[place:], to)
				got := audit(t, file, keys)
				switch {
				case errors.Is(got.refused, boltdedupe.ErrFormat):
					refused++
				case got != audited{done: len(keys)}:
					t.Errorf("element %d of page %d leads to %s: %+v, want ErrFormat", element, at/page, what, got)
				}
			}
		}
	}
	if refused < 15 {
		t.Errorf("%d files were refused, with %d branches; want those of one branch at least", refused, len(branches))
	}
}

// A file that lists a page of its rows as free is refused when it is opened:
// the next transaction would be written over them.
func TestPagesInUseAndFree(t *testing.T) {
	whole, used, keys := completedFile(t)
	page := os.Getpagesize()
	refused := 0
	for _, at := range pagesOf(whole, used, freelistFlag) {
		count := int(binary.NativeEndian.Uint16(whole[at+pageCount:]))
		listed := func(i int) int { return at + pageHead + i*8 }
		var free []uint64
		for i := range count {
			free = append(free, binary.NativeEndian.Uint64(whole[listed(i):]))
		}
		for n := uint64(2); n < uint64(used/page); n++ {
			if i, found := slices.BinarySearch(free, n); !found && count > 0 {
				file := bytes.Clone(whole)
				binary.NativeEndian.PutUint64(file[listed(min(i, count-1)):], n) // the order stays
				got := audit(t, file, keys)
				switch {
				case errors.Is(got.refused, boltdedupe.ErrFormat):
					refused++
				case got != audited{done: len(keys)}:
					t.Errorf("page %d is in the list of free ones: %+v, want ErrFormat", n, got)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("no file was refused")
	}
}
