package boltdedupe

import (
	"bytes"
	"io"
	"slices"
)

// maxDepth bounds the tree. A branch has two pages below it or more, so that no
// file of bbolt comes near.
const maxDepth = 64

// tree checks that the pages of a file are what bbolt relies on: each has one
// use, and keys are in order and stand above as they do below. bbolt does not
// ask: pages that lead in a circle make it end the process, one that is both
// free and used is written over, and a key that is out of order is not found.
type tree struct {
	file  io.ReaderAt
	head  head
	used  []bool               // by page: what it is for is known
	depth int                  // of the page being checked
	bufs  [maxDepth]page       // by depth
	pairs map[string]pairsFunc // by bucket
	met   int                  // buckets
}

// pairsFunc is called with each pair of a bucket, in order. It keeps neither.
type pairsFunc func(key, value []byte)

// checkTree checks the file of that head, which must have no buckets but
// those of pairs, and returns how many of them it has.
func checkTree(file io.ReaderAt, h head, pairs map[string]pairsFunc) (buckets int, err error) {
	t := &tree{file: file, head: h, used: make([]bool, h.pages), pairs: pairs}
	if err := t.take(0, 2); err != nil { // the heads
		return 0, err
	}
	if err := t.takeFree(); err != nil {
		return 0, err
	}
	err = (&walk{tree: t, each: t.bucket}).page(h.first, nil)
	return t.met, err
}

// take marks n pages from first as used.
func (t *tree) take(first, n uint64) error {
	if all := uint64(len(t.used)); first >= all || n > all-first {
		return damagef("there is no page %d of %d", first, n)
	}
	for i := range n {
		if t.used[first+i] {
			return damagef("page %d has two uses", first+i)
		}
		t.used[first+i] = true
	}
	return nil
}

// takeFree marks the list of free pages and the pages in it.
func (t *tree) takeFree() error {
	p, err := t.read(t.head.free)
	if err != nil {
		return err
	}
	free, err := p.free()
	if err != nil {
		return err
	}
	for at := 0; at < len(free); at += 8 {
		if err := t.take(number64(free, at), 1); err != nil {
			return err
		}
	}
	return nil
}

// read returns the page of this number, with those that are a part of it. It
// is overwritten by the next page at this depth.
func (t *tree) read(number uint64) (page, error) {
	if err := t.take(number, 1); err != nil {
		return nil, err
	}
	size := t.head.pageSize
	p, at := slices.Grow(t.bufs[t.depth][:0], size)[:size], int64(number)*int64(size)
	if _, err := t.file.ReadAt(p, at); err != nil {
		return nil, err
	}
	if p.number() != number {
		return nil, damagef("page %d says that it is page %d", number, p.number())
	}
	if more := uint64(p.overflow()); more > 0 {
		if err := t.take(number+1, more); err != nil {
			return nil, err
		}
		rest := int(more) * size
		p = slices.Grow(p, rest)[:size+rest]
		if _, err := t.file.ReadAt(p[size:], at+int64(size)); err != nil {
			return nil, err
		}
	}
	t.bufs[t.depth] = p
	return p, nil
}

// bucket checks a bucket, which is a pair of the first tree.
func (t *tree) bucket(name, value []byte, nested bool) error {
	pairs := t.pairs[string(name)]
	if pairs == nil || !nested {
		return foreignError("it is another program's database")
	}
	if len(value) < bucketHead {
		return damagef("bucket %q has %d bytes", name, len(value))
	}
	t.met++
	w := &walk{tree: t, each: func(key, value []byte, nested bool) error {
		if nested {
			return damagef("bucket %q has another, %q", name, key)
		}
		pairs(key, value)
		return nil
	}}
	if first := number64(value, 0); first != 0 {
		return w.page(first, nil)
	}
	inline := page(value[bucketHead:])
	if err := inline.check(); err != nil {
		return err
	}
	if inline.flags() != leafPage {
		return damagef("bucket %q has flags %#x", name, inline.flags())
	}
	return w.leaf(inline, nil)
}

// walk is the way through the tree of one bucket.
type walk struct {
	*tree
	each func(key, value []byte, nested bool) error // nested: the value is a bucket
	last []byte                                     // the key before; nil for none
}

// page checks a page and what is below it. Unless it is the first of its tree,
// its first key is the one above it.
func (w *walk) page(number uint64, above []byte) error {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth >= maxDepth {
		return damagef("pages lie %d deep", w.depth)
	}
	p, err := w.read(number)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	switch leaf := p.flags() == leafPage; {
	case p.elements() == 0 && (above != nil || !leaf):
		return damagef("page %d is empty", number)
	case leaf:
		return w.leaf(p, above)
	case p.flags() == branchPage:
		return w.branch(p, above)
	}
	return damagef("page %d has flags %#x", number, p.flags())
}

func (w *walk) branch(p page, above []byte) error {
	for i := range p.elements() {
		key, child, err := p.branch(i)
		if err != nil {
			return err
		}
		if i == 0 && above != nil && !bytes.Equal(key, above) {
			return damagef("key %q stands above as %q", key, above)
		}
		if err := w.page(child, key); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) leaf(p page, above []byte) error {
	for i := range p.elements() {
		key, value, nested, err := p.leaf(i)
		if err != nil {
			return err
		}
		if i == 0 && above != nil && !bytes.Equal(key, above) {
			return damagef("key %q stands above as %q", key, above)
		}
		if w.last != nil && bytes.Compare(w.last, key) >= 0 {
			return damagef("key %q comes after %q", key, w.last)
		}
		w.last = append(w.last[:0], key...)
		if err := w.each(key, value, nested); err != nil {
			return err
		}
	}
	return nil
}
