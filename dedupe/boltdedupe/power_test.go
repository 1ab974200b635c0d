package boltdedupe_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

const (
	sector     = 512 // what a disk writes whole
	powerSeeds = 120
)

// Whatever part of the last transaction a power failure leaves on the disk,
// sector by sector, a disk that syncs as it is told to loses nothing that was
// answered, and that transaction is there as a whole or not at all. bbolt
// writes the data, syncs, then one of the two pages that say which transaction
// was the last.
func TestPowerFailure(t *testing.T) {
	t.Parallel() // most of it is waiting for the disk
	images := commits(t, 30)
	found := map[string]int{}
	for seed := range uint64(powerSeeds) {
		random := rand.New(rand.NewPCG(3, seed))
		n := 1 + random.IntN(len(images)-1)
		old, latest := images[n-1], images[n]
		heads := 2 * os.Getpagesize()
		file := grown(old.file, latest.file)
		when := "before the data was synced"
		if random.IntN(2) == 0 {
			torn(random, file[heads:], latest.file[heads:])
		} else {
			when = "after the data was synced"
			file = bytes.Clone(latest.file)
			copy(file, old.file[:heads])
			torn(random, file[:heads], latest.file[:heads])
		}
		got := audit(t, file, old.keys)
		if got != (audited{done: len(old.keys)}) {
			t.Errorf("seed %d, transaction %d, %s: %+v of %d", seed, n, when, got, len(old.keys))
		}
		all := audit(t, file, latest.keys[len(old.keys):])
		switch {
		case all.done != 0 && all.forgotten != 0, all.refused != nil, all.failed != nil, all.unreadable != 0:
			t.Errorf("seed %d, transaction %d, %s: of the last transaction %+v, want all or none", seed, n, when, all)
		case all.done > 0:
			found[when+": last transaction there"]++
		default:
			found[when+": last transaction lost"]++
		}
	}
	t.Log(powerSeeds, "power failures:", found)
	counted(t, powerSeeds, found)
}

// A disk that says it has synced and has not can leave a file whose head is
// newer than its data, with pages from before that are sound in themselves:
// Open refuses it unless all rows are there.
func TestDiskThatLies(t *testing.T) {
	t.Parallel() // most of it is waiting for the disk
	images := commits(t, 30)
	found := map[string]int{}
	for seed := range uint64(powerSeeds) {
		random := rand.New(rand.NewPCG(4, 100+seed))
		n := 1 + random.IntN(len(images)-1)
		heads := 2 * os.Getpagesize()
		file := bytes.Clone(images[n].file)
		copy(file[heads:], images[n-1].file[min(heads, len(images[n-1].file)):])
		torn(random, file[heads:], images[n].file[heads:])
		switch got := audit(t, file, images[n-1].keys); {
		case t.Failed():
			t.Fatalf("seed %d, transaction %d", seed, n)
		case got.refused != nil:
			found["refused"]++
		case got != (audited{done: len(images[n-1].keys)}):
			t.Errorf("seed %d, transaction %d: %+v of %d", seed, n, got, len(images[n-1].keys))
		default:
			found["harmless"]++
		}
	}
	t.Log(powerSeeds, "failures of a disk that lies:", found)
	counted(t, powerSeeds, found)
}

// A file cut off anywhere has all rows or is refused.
func TestTruncatedAnywhere(t *testing.T) {
	t.Parallel() // most of it is waiting for the disk
	whole, used, keys := completedFile(t)
	found := map[string]int{}
	for seed := range uint64(powerSeeds) {
		size := 1 + rand.New(rand.NewPCG(5, seed)).IntN(len(whole))
		got := audit(t, whole[:size], keys)
		if size < used && got.refused == nil || size >= used && got.done != len(keys) {
			t.Errorf("cut off at %d of %d bytes, %d used: %+v", size, len(whole), used, got)
		}
		if got.refused != nil {
			found["refused"]++
		} else {
			found["harmless"]++
		}
	}
	counted(t, powerSeeds, found)
}

// image is the file after a transaction, with the keys that are completed.
type image struct {
	file []byte
	keys []dedupe.Key
}

// commits returns a store's file as bbolt makes it, as Open leaves it, and
// after each of its transactions, the first of which make it grow: one claims
// a group of keys, the next completes them.
func commits(t *testing.T, group int) (images []image) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.db")
	look(t, path, func(*bbolt.Tx) {}) // makes it
	images = append(images, image{file: content(t, path)})
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []dedupe.Key
	images = append(images, image{file: content(t, path)})
	for n := range 12 {
		var ops []dedupe.Op
		for i := range group {
			ops = append(ops, claimBy(dedupe.Key(fmt.Sprintf("key %d of %d", (i*7919)%1000, n)), 1))
		}
		apply(t, s, ops...)
		images = append(images, image{content(t, path), keys[:len(keys):len(keys)]}) // held, not done
		for i := range ops {
			keys = append(keys, ops[i].Key)
			ops[i].Kind, ops[i].Result = dedupe.OpComplete, shortResult(ops[i].Key)
		}
		apply(t, s, ops...)
		images = append(images, image{content(t, path), keys[:len(keys):len(keys)]})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return images
}

// grown returns old with the length of latest: bbolt makes room, and syncs
// that, before it writes.
func grown(old, latest []byte) []byte {
	file := bytes.Clone(old)
	if len(latest) > len(old) {
		file = append(file, make([]byte, len(latest)-len(old))...)
	}
	return file
}

// torn copies some of latest's sectors to file.
func torn(random *rand.Rand, file, latest []byte) {
	some := random.Float64()
	for at := 0; at < min(len(file), len(latest)); at += sector {
		if random.Float64() < some {
			copy(file[at:min(at+sector, len(file))], latest[at:])
		}
	}
}
