package boltdedupe_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// Whatever is written over any place of a file, and even if its heads are right
// again, the file is refused for what it is, or all its completed rows are as
// they were, and bbolt can go on with it.
func FuzzFile(f *testing.F) {
	whole, used, keys := completedFile(f)
	page := os.Getpagesize()
	number := func(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
	for at := 0; at < used; at += page {
		f.Add(uint32(at), number(uint64(at/page+1)), true)         // another page's number
		f.Add(uint32(at+8), []byte{1, 0, 0xff, 0xff}, true)        // a branch with many elements
		f.Add(uint32(at+12), []byte{0xff, 0xff, 0xff, 0x7f}, true) // pages that are a part of it
		f.Add(uint32(at+16+8), number(uint64(at/page)), true)      // a branch that leads to itself
		f.Add(uint32(at+page-1), []byte{0x80}, false)
	}
	for field := 16; field < 80; field += 8 { // of the heads
		for _, n := range []uint64{0, 1, 2, 1 << 32, 1<<64 - 1} {
			f.Add(uint32(field), number(n), true)
			f.Add(uint32(page+field), number(n), true)
		}
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, seal bool) {
		file := bytes.Clone(whole[:used])
		copy(file[int(at)%used:], patch)
		if seal {
			boltdedupe.SealHeads(file, page)
		}
		if ours, err := boltdedupe.CheckFile(file); err != nil {
			if !ours {
				t.Fatalf("%d bytes at %d: %v (%T), want one that becomes ErrFormat", len(patch), int(at)%used, err, err)
			}
			return
		}
		got := audit(t, file, keys)
		before := audited{done: len(keys) - 100, forgotten: 100}
		if seal && got == before { // a head forged to be older: the file is as it was before its last transaction, which nothing can tell
			return
		}
		if got != (audited{done: len(keys)}) {
			t.Fatalf("%d bytes at %d: %+v, want all %d rows", len(patch), int(at)%used, got, len(keys))
		}
	})
}
