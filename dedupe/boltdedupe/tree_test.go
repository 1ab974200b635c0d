package boltdedupe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// Open refuses a file whose pages are each what bbolt could have written and
// together are not: what bbolt would follow in a circle until the process ends,
// what it would write over, and what hides a row.
func TestTreeThatIsNone(t *testing.T) {
	whole, used, keys := completedFile(t)
	if got := audit(t, whole, keys); got.done != len(keys) {
		t.Fatalf("undamaged: %+v, want all %d rows", got, len(keys))
	}
	top, branch, leaf, free := landmarks(t, whole)
	tried := 0
	for _, test := range []struct {
		name   string
		why    string // it is refused
		damage func(f rawFile)
	}{
		{"branch above itself", "two uses", func(f rawFile) { f.put64(f.element(branch, 0)+8, uint64(branch)) }},
		{"branch below the first page", "two uses", func(f rawFile) { f.put64(f.element(branch, 1)+8, uint64(top)) }},
		{"page of two branches", "two uses", func(f rawFile) { f.put64(f.element(branch, 1)+8, f.get64(f.element(branch, 0)+8)) }},
		{"page of the head", "two uses", func(f rawFile) { f.put64(f.element(branch, 0)+8, 1) }},
		{"page after the last", "no page", func(f rawFile) { f.put64(f.element(branch, 0)+8, uint64(used/os.Getpagesize())) }},
		{"page that is free", "two uses", func(f rawFile) { f.put64(f.page(free)+24, f.get64(f.element(branch, 1)+8)) }},
		{"free page in the head", "two uses", func(f rawFile) { f.put64(f.page(free)+16, 1) }},
		{"free page after the last", "no page", func(f rawFile) { f.put64(f.page(free)+16, 1<<40) }},
		{"free page that is the list of them", "two uses", func(f rawFile) { f.put64(f.page(free)+24, uint64(free)) }},
		{"more free pages than listed", "list of free pages", func(f rawFile) { f.put16(f.page(free)+10, 0xfffe) }},
		{"more free pages than memory", "list of free pages", func(f rawFile) {
			f.put16(f.page(free)+10, 0xffff)
			f.put64(f.page(free)+16, 1<<41)
		}},
		{"list of free pages that goes on", "page ", func(f rawFile) { f.put32(f.page(free)+12, 1) }},
		{"list of free pages with another number", "says that it is", func(f rawFile) { f[f.page(free)] ^= 4 }},
		{"list of free pages of another kind", "list of free pages", func(f rawFile) { f.put16(f.page(free)+8, 2) }},
		{"head of the last transaction", "head of the file", func(f rawFile) { f[f.lastHead()+16+40]++ }},
		{"head of the transaction before", "head of the file", func(f rawFile) { f[os.Getpagesize()-f.lastHead()+16+40]++ }},
		{"heads of one transaction", "both heads", func(f rawFile) {
			last := f.lastHead()
			copy(f[os.Getpagesize()-last+16:][:64], f[last+16:])
		}},
		{"leaf of nothing", "is empty", func(f rawFile) { f.put16(f.page(leaf)+10, 0) }},
		{"branch of nothing", "is empty", func(f rawFile) { f.put16(f.page(branch)+10, 0) }},
		{"branch without its last page", "rows were stored", func(f rawFile) { f.put16(f.page(branch)+10, f.get16(f.page(branch)+10)-1) }},
		{"key of a branch, lower", "stands above", func(f rawFile) { f[f.key(branch, 1)+8]-- }},
		{"key of a branch, shorter", "stands above", func(f rawFile) { f.put32(f.element(branch, 0)+4, 5) }},
		{"key of a branch, empty", "stands above", func(f rawFile) { f.put32(f.element(branch, 0)+4, 0) }},
		{"leaf without its last row", "rows were stored", func(f rawFile) { f.put16(f.page(leaf)+10, f.get16(f.page(leaf)+10)-1) }},
		{"leaf that goes on for ever", "no page", func(f rawFile) { f.put32(f.page(leaf)+12, 1<<31) }},
		{"leaf that goes on in the next", "two uses", func(f rawFile) { f.put32(f.page(leaf)+12, uint32(used/os.Getpagesize()-leaf-1)) }},
		{"leaf with another's number", "says that it is", func(f rawFile) { f.put64(f.page(leaf), uint64(branch)) }},
		{"page of another kind", "has flags", func(f rawFile) { f.put16(f.page(leaf)+8, 4) }},
		{"key that is lower", "comes after", func(f rawFile) { f[f.key(leaf, 1)] = 0 }},
		{"key that is higher", "comes after", func(f rawFile) { f[f.key(leaf, 1)] = 0xff }},
		{"key of a byte less", "comes after", func(f rawFile) { f.put32(f.element(leaf, 1)+8, 1) }},
		{"row out of the page", "out of its page", func(f rawFile) { f.put32(f.element(leaf, 1)+12, 1<<20) }},
		{"row that is a bucket", "has another", func(f rawFile) { f.put32(f.element(leaf, 1), 1) }},
		{"row that is nothing known", "has flags", func(f rawFile) { f.put32(f.element(leaf, 1), 2) }},
		{"byte of a row", "rows were stored", func(f rawFile) { f[f.key(leaf, 1)+60]++ }},
		{"bucket that is a row", "another program's", func(f rawFile) { f.put32(f.element(top, 1), 0) }},
		{"rows in each other's place", "comes after", func(f rawFile) {
			first, second := f[f.element(leaf, 1):][:16], f[f.element(leaf, 2):][:16]
			for i := range first {
				first[i], second[i] = second[i], first[i]
			}
			f.put32(f.element(leaf, 1)+4, f.get32(f.element(leaf, 1)+4)+16) // from an element that is further
			f.put32(f.element(leaf, 2)+4, f.get32(f.element(leaf, 2)+4)-16)
		}},
		{"inline bucket that is a branch above itself", "has flags", func(f rawFile) {
			inline := f.key(top, 0) + len("onlyonce") + 16
			f.put16(inline+8, 1)
			f.put16(inline+10, 1)
			f.put64(inline+16+8, 0)
		}},
		{"inline bucket of many rows", "too short", func(f rawFile) { f.put16(f.key(top, 0)+len("onlyonce")+16+10, 60000) }},
		{"bucket of another", "another program's", func(f rawFile) { f[f.key(top, 0)]++ }},
		{"row in a bucket within", "has another", func(f rawFile) { f.put32(f.key(top, 0)+len("onlyonce")+16+16, 1) }},
		{"bucket of a byte", "has 1 bytes", func(f rawFile) { f.put32(f.element(top, 1)+12, 1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := bytes.Clone(whole)
			test.damage(file)
			if bytes.Equal(file, whole) {
				t.Fatal("nothing was damaged")
			}
			if got := audit(t, file, keys); !errors.Is(got.refused, boltdedupe.ErrFormat) || !strings.Contains(got.refused.Error(), test.why) {
				t.Errorf("%+v, want ErrFormat with %q", got, test.why)
			}
		})
		tried++
	}
	counted(t, tried, nil)
}

// A page that the disk put an older one for takes rows with it, or brings
// back what they were: Open refuses the file, though each page is sound, and
// be it as old as the file.
func TestPageFromBefore(t *testing.T) {
	tried := 0
	for _, group := range []int{10, 30} { // rows in one page at first, and in several
		tried += pagesFromBefore(t, commits(t, group))
	}
	counted(t, tried, nil)
}

func pagesFromBefore(t *testing.T, images []image) (tried int) {
	t.Helper()
	page, refused := os.Getpagesize(), 0
	check := func(file []byte, n int, what string, at int) {
		tried++
		if _, err := boltdedupe.CheckFile(file); err != nil {
			refused++
		} else if got := audit(t, file, images[n].keys); got != (audited{done: len(images[n].keys)}) {
			t.Errorf("transaction %d, %s %d from before: %+v of %d", n, what, at, got, len(images[n].keys))
		}
	}
	for n := range images {
		for m := range n {
			file := grown(images[m].file, images[n].file)
			copy(file, images[n].file[:2*page])
			check(file, n, "all but the heads, of transaction", m)
			if m > 0 && m < n-1 {
				continue // pages of the first file and of the one before will do
			}
			for at := 2 * page; at < min(len(images[m].file), len(images[n].file)); at += page {
				old := images[m].file[at : at+page]
				if bytes.Equal(old, images[n].file[at:at+page]) {
					continue
				}
				file := bytes.Clone(images[n].file)
				copy(file[at:], old)
				check(file, n, "page", at/page)
			}
		}
	}
	if refused == 0 {
		t.Error("no page was missed")
	}
	return tried
}

// Whatever a store did, its file is whole when it is opened again, and bbolt
// finds it so as well: rows that grow and shrink, that are longer than a page
// and that are removed.
func TestWholeAfterAnything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	random := rand.New(rand.NewPCG(6, 1))
	synctest.Test(t, func(t *testing.T) {
		for range 25 {
			s, err := boltdedupe.Open(path, boltdedupe.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 12 {
				anything(t, s, random)
				time.Sleep(time.Duration(random.IntN(60)) * time.Second)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			look(t, path, func(tx *bbolt.Tx) {
				for err := range tx.Check() {
					t.Error(err)
				}
			})
		}
	})
}

// anything claims some keys and ends most of the claims it won.
func anything(t *testing.T, s *boltdedupe.Store, random *rand.Rand) {
	ops := claims(random.IntN(2000), 1+random.IntN(200))
	for i := range ops {
		binary.NativeEndian.PutUint64(ops[i].Owner[:], random.Uint64())
	}
	verdicts := apply(t, s, ops...)
	var ends []dedupe.Op
	for i, v := range verdicts {
		if v.Outcome != dedupe.Won || random.IntN(10) == 0 {
			continue
		}
		op := ops[i]
		op.Kind = dedupe.OpComplete
		op.RetainEnd = dedupe.MillisOf(time.Now()).Add(time.Duration(1+random.IntN(300)) * time.Second)
		if random.IntN(4) == 0 {
			op.Kind, op.Ran = dedupe.OpRelease, true
		}
		if random.IntN(5) == 0 {
			op.Result = make([]byte, random.IntN(20000))
		}
		ends = append(ends, op)
	}
	if len(ends) > 0 {
		apply(t, s, ends...)
	}
}

// landmarks returns the numbers of four pages: the leaf that has the two
// buckets, the branch at the root of the rows, its first leaf, and the list of
// free pages.
func landmarks(t *testing.T, file rawFile) (top, branch, leaf, free int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "landmarks.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	look(t, path, func(tx *bbolt.Tx) {
		top, branch = int(tx.Cursor().Bucket().Root()), int(tx.Bucket([]byte("rows")).Root())
		for i := range int(tx.Size()) / os.Getpagesize() {
			if p, err := tx.Page(i); err == nil && p.Type == "freelist" {
				free = i
			}
		}
	})
	return top, branch, int(file.get64(file.element(branch, 0) + 8)), free
}

// look reads the file at path with bbolt itself.
func look(t *testing.T, path string, read func(tx *bbolt.Tx)) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		read(tx)
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// rawFile is a store's file as bytes.
type rawFile []byte

func (f rawFile) page(number int) int       { return number * os.Getpagesize() }
func (f rawFile) element(number, i int) int { return f.page(number) + 16 + 16*i }
func (f rawFile) get16(at int) uint16       { return binary.NativeEndian.Uint16(f[at:]) }
func (f rawFile) get32(at int) uint32       { return binary.NativeEndian.Uint32(f[at:]) }
func (f rawFile) get64(at int) uint64       { return binary.NativeEndian.Uint64(f[at:]) }
func (f rawFile) put16(at int, v uint16)    { binary.NativeEndian.PutUint16(f[at:], v) }
func (f rawFile) put32(at int, v uint32)    { binary.NativeEndian.PutUint32(f[at:], v) }
func (f rawFile) put64(at int, v uint64)    { binary.NativeEndian.PutUint64(f[at:], v) }

// lastHead returns where the head of the last transaction is.
func (f rawFile) lastHead() int {
	if second := f.page(1); f.get64(second+64) > f.get64(64) {
		return second
	}
	return 0
}

// key returns where the key of an element is.
func (f rawFile) key(number, i int) int {
	at, offset := f.element(number, i), 0
	if f.get16(f.page(number)+8) == 2 { // a leaf
		offset = 4
	}
	return at + int(f.get32(at+offset))
}
