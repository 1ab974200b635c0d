package boltdedupe

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Of bbolt's pages, in the byte order of the machine: a head, then the
// elements, of which those of a branch end with the page that they lead to.
const (
	pageHead    = 16
	elementSize = 16
	elementPage = 8
)

// pages looks at the pages of a file before bbolt follows them.
type pages struct {
	s    *Store
	tx   *bbolt.Tx
	size int      // of a page, in bytes
	seen []uint64 // a bit for each page
	todo []uint64
	buf  []byte
}

// checkPages finds fault with a file whose pages are not a tree, or of which
// some are in use and in the list of free ones too. A disk that lies about its
// syncs leaves such files. bbolt follows pages without looking where they
// lead: a circle would overflow the stack, which nothing can recover from, and
// a page that is free as well would be written over. The price is a look at
// each page's head when the file is opened.
func (s *Store) checkPages(tx *bbolt.Tx) error {
	size := s.db.Info().PageSize
	p := pages{s: s, tx: tx, size: size, seen: make([]uint64, tx.Size()/int64(size)/64+1)}
	if err := p.walk(uint64(tx.Cursor().Bucket().Root())); err != nil {
		return err
	}
	for _, name := range []string{metaBucket, rowBucket} {
		if b := tx.Bucket([]byte(name)); b != nil && b.Root() != 0 { // else it is in its parent's page
			if err := p.walk(uint64(b.Root())); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk looks at a page and all that it leads to.
func (p *pages) walk(root uint64) error {
	p.todo = append(p.todo[:0], root)
	for len(p.todo) > 0 {
		id := p.todo[len(p.todo)-1]
		p.todo = p.todo[:len(p.todo)-1]
		all := uint64(p.tx.Size() / int64(p.size))
		if id >= all {
			return foreignError(fmt.Sprintf("damaged: page %d is not in it", id))
		}
		info, err := p.tx.Page(int(id))
		if err != nil {
			return err
		}
		if end := id + uint64(info.OverflowCount); end >= all {
			return foreignError(fmt.Sprintf("damaged: page %d ends at page %d, which is not in it", id, end))
		}
		for n := id; n <= id+uint64(info.OverflowCount); n++ {
			if !p.first(n) {
				return foreignError(fmt.Sprintf("damaged: page %d is in use twice", n))
			}
		}
		switch info.Type {
		case "leaf":
		case "branch":
			if err := p.children(int64(id), info.OverflowCount, info.Count); err != nil {
				return err
			}
		default:
			return foreignError(fmt.Sprintf("damaged: page %d is in use and its type is %s", id, info.Type))
		}
	}
	return nil
}

// first notes that a page is in use, and reports whether that is news.
func (p *pages) first(id uint64) bool {
	word, bit := id/64, uint64(1)<<(id%64)
	if p.seen[word]&bit != 0 {
		return false
	}
	p.seen[word] |= bit
	return true
}

// children adds the pages that a branch leads to.
func (p *pages) children(id int64, overflow, count int) error {
	need := pageHead + count*elementSize
	if count == 0 || need > (overflow+1)*p.size {
		return foreignError(fmt.Sprintf("damaged: page %d leads to %d pages", id, count))
	}
	if cap(p.buf) < need {
		p.buf = make([]byte, need)
	}
	b := p.buf[:need]
	if _, err := p.s.file.ReadAt(b, id*int64(p.size)); err != nil {
		return err
	}
	for i := range count {
		p.todo = append(p.todo, binary.NativeEndian.Uint64(b[pageHead+i*elementSize+elementPage:]))
	}
	return nil
}
