package boltdedupe

import (
	"bytes"
	"io"
	"slices"

	"go.etcd.io/bbolt"
)

// maxDepth bounds a tree. A branch has two pages below it or more, so that no
// file of bbolt comes near.
const maxDepth = 64

// bucket is where in a file an element is.
type bucket int

const (
	topBucket bucket = iota // what the file begins with: other buckets
	ourRows
	otherBucket
)

// tree checks that the pages of a file are trees, each page a part of one at
// most, with keys in order. bbolt follows what its pages say without asking:
// pages that lead in a circle make it end the process, and a key that is out
// of order is not found.
type tree struct {
	file io.ReaderAt
	size int                     // of a page
	used []bool                  // by page: it is free, or was met
	bufs [maxDepth]page          // of the way down to the page being checked
	row  func(key, value []byte) // is called with each row; it keeps neither
}

// span is the keys that a page may have: low <= key < high, each nil for none.
type span struct{ low, high []byte }

func (s span) holds(key []byte) bool {
	return bytes.Compare(key, s.low) >= 0 && (s.high == nil || bytes.Compare(key, s.high) < 0)
}

// checkTree reads all of the file that tx sees and calls row with each row in
// it. Its errors are of the file's content, except those of reading it.
func checkTree(tx *bbolt.Tx, file io.ReaderAt, row func(key, value []byte)) error {
	size := tx.DB().Info().PageSize
	t := &tree{file: file, size: size, used: make([]bool, tx.Size()/int64(size)), row: row}
	if err := t.takeFree(tx); err != nil {
		return err
	}
	return t.walk(topBucket, uint64(tx.Cursor().Bucket().Root()), 0)
}

// takeFree marks the pages that no tree may have: the two heads of the file,
// and those that bbolt is going to write to because they are said to be free.
func (t *tree) takeFree(tx *bbolt.Tx) error {
	free := 0
	for i := range t.used {
		p, err := tx.Page(i)
		if err != nil {
			return err
		}
		if p.Type == "free" {
			t.used[i] = true
			free++
		}
	}
	if said := tx.DB().Stats().FreePageN; free != said || t.used[0] || t.used[1] {
		return damagef("%d pages are said to be free, %d of them can be", said, free)
	}
	t.used[0], t.used[1] = true, true
	return nil
}

// walk checks the tree of b below its first page, which is at depth.
func (t *tree) walk(b bucket, first uint64, depth int) error {
	w := &walk{tree: t, bucket: b}
	return w.page(first, span{}, depth)
}

// read returns the page of this number, with those that are a part of it. It
// is overwritten by the next page at this depth.
func (t *tree) read(number uint64, depth int) (page, error) {
	if depth >= maxDepth {
		return nil, damagef("pages lie %d deep", depth)
	}
	if err := t.take(number); err != nil {
		return nil, err
	}
	p, at := slices.Grow(t.bufs[depth][:0], t.size)[:t.size], int64(number)*int64(t.size)
	if _, err := t.file.ReadAt(p, at); err != nil {
		return nil, err
	}
	if p.number() != number {
		return nil, damagef("page %d says that it is page %d", number, p.number())
	}
	if more := uint64(p.overflow()); more > 0 {
		for i := range more {
			if err := t.take(number + 1 + i); err != nil {
				return nil, err
			}
		}
		rest := int(more) * t.size
		p = slices.Grow(p, rest)[:t.size+rest]
		if _, err := t.file.ReadAt(p[t.size:], at+int64(t.size)); err != nil {
			return nil, err
		}
	}
	t.bufs[depth] = p
	return p, p.check()
}

// take marks a page as met.
func (t *tree) take(number uint64) error {
	if number >= uint64(len(t.used)) {
		return damagef("there is no page %d", number)
	}
	if t.used[number] {
		return damagef("page %d is met twice, or is free", number)
	}
	t.used[number] = true
	return nil
}

// walk is the way through one bucket.
type walk struct {
	*tree
	bucket bucket
	last   []byte // the key before
	begun  bool
}

// page checks a page of a bucket and what is below it.
func (w *walk) page(number uint64, in span, depth int) error {
	p, err := w.read(number, depth)
	if err != nil {
		return err
	}
	switch {
	case p.flags() == leafPage:
		return w.leaf(p, in, depth)
	case p.flags() == branchPage && p.elements() > 0:
		return w.branch(p, in, depth)
	}
	return damagef("page %d has flags %#x and %d elements", number, p.flags(), p.elements())
}

func (w *walk) branch(p page, in span, depth int) error {
	key, child, err := p.branch(0)
	if err != nil {
		return err
	}
	for i := range p.elements() {
		below, next := span{key, in.high}, uint64(0)
		if i+1 < p.elements() {
			if below.high, next, err = p.branch(i + 1); err != nil {
				return err
			}
		}
		if err := w.page(child, below, depth+1); err != nil {
			return err
		}
		key, child = below.high, next
	}
	return nil
}

func (w *walk) leaf(p page, in span, depth int) error {
	for i := range p.elements() {
		key, value, isBucket, err := p.leaf(i)
		if err != nil {
			return err
		}
		if !in.holds(key) || w.begun && bytes.Compare(w.last, key) >= 0 {
			return damagef("key %q is out of order", key)
		}
		w.last, w.begun = append(w.last[:0], key...), true
		switch {
		case isBucket:
			err = w.nested(key, value, depth)
		case w.bucket == ourRows:
			w.row(key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nested checks the bucket that an element is.
func (w *walk) nested(name, value []byte, depth int) error {
	b := otherBucket
	if w.bucket == topBucket && string(name) == rowBucket {
		b = ourRows
	}
	if len(value) < bucketSize {
		return damagef("%q is no bucket", name)
	}
	head := page(value)
	if first := head.number(); first != 0 {
		return w.walk(b, first, depth+1)
	}
	inline := head[bucketSize:]
	if err := inline.check(); err != nil {
		return err
	}
	if inline.flags() != leafPage {
		return damagef("bucket %q has flags %#x", name, inline.flags())
	}
	return (&walk{tree: w.tree, bucket: b}).leaf(inline, span{}, depth)
}
