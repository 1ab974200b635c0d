package boltdedupe

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// A file of bbolt is pages of one size. A page is a head, then a table of
// elements that say where their keys are, from where they are themselves. All
// numbers are the machine's.
//
//	head of a page     number, 8 bytes; flags, 2; elements, 2; pages that follow as a part of this one, 4
//	element, branch    offset, size of the key, 4 each; number of the page below, 8
//	element, leaf      flags, offset, size of the key, size of the value after it, 4 each
//
// An element of a leaf with the flag isBucket is a bucket. Its value is the
// number of its first page and a sequence, 8 bytes each; the number is 0 when
// the page, always a leaf, follows within the value. The page of free pages is
// a table of their numbers, 8 bytes each, of which the first is their count
// when the head has no room for it.
//
// The first two pages are the heads of the file, written in turn by its
// transactions:
//
//	magic, version, size of a page, flags           4 bytes each, after the head of the page
//	first page, sequence, page of the free pages,   8 bytes each
//	number of pages, transaction
//	FNV-1a of all that                              8 bytes
const (
	pageHead    = 16
	elementSize = 16
	bucketHead  = 16
	fileHead    = pageHead + 64

	branchPage = 0x01
	leafPage   = 0x02
	freePage   = 0x10
	isBucket   = 1

	magic       = 0xED0CDAED
	boltVersion = 2
	manyFree    = 0xFFFF // elements of a page of free pages whose count is elsewhere
)

// page is what was read of one, with the pages that are a part of it.
type page []byte

func (p page) number() uint64   { return binary.NativeEndian.Uint64(p) }
func (p page) flags() uint16    { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) elements() int    { return int(binary.NativeEndian.Uint16(p[10:])) }
func (p page) overflow() uint32 { return binary.NativeEndian.Uint32(p[12:]) }

// check says whether the elements of a branch or a leaf can be read at all.
func (p page) check() error {
	if len(p) < pageHead || len(p) < pageHead+p.elements()*elementSize {
		return damagef("a page of %d bytes is too short", len(p))
	}
	return nil
}

// branch returns an element of a branch.
func (p page) branch(i int) (key []byte, child uint64, err error) {
	at := pageHead + i*elementSize
	key, _, err = p.pair(at, number32(p, at), number32(p, at+4), 0)
	return key, number64(p, at+8), err
}

// leaf returns an element of a leaf.
func (p page) leaf(i int) (key, value []byte, bucket bool, err error) {
	at := pageHead + i*elementSize
	flags := number32(p, at)
	if flags&^isBucket != 0 {
		return nil, nil, false, damagef("an element has flags %#x", flags)
	}
	key, value, err = p.pair(at, number32(p, at+4), number32(p, at+8), number32(p, at+12))
	return key, value, flags == isBucket, err
}

// pair cuts a key and the value after it out of the page.
func (p page) pair(at int, offset, key, value uint32) (k, v []byte, err error) {
	from := uint64(at) + uint64(offset)
	mid := from + uint64(key)
	end := mid + uint64(value)
	if end > uint64(len(p)) {
		return nil, nil, damagef("an element points out of its page")
	}
	return p[from:mid:mid], p[mid:end:end], nil
}

// free returns the table of free pages.
func (p page) free() ([]byte, error) {
	n, table := uint64(p.elements()), p[pageHead:]
	if n == manyFree && len(table) >= 8 {
		n, table = number64(table, 0), table[8:]
	}
	if p.flags() != freePage || n > uint64(len(table)/8) {
		return nil, damagef("the list of free pages has flags %#x and %d pages", p.flags(), n)
	}
	return table[:8*n], nil
}

// head is what a head of the file says.
type head struct {
	pageSize    int
	first, free uint64 // pages: the first of the tree, the list of those that are free
	pages       uint64
	transaction uint64
}

func parseHead(b []byte) (head, error) {
	fields := b[pageHead:]
	if number32(fields, 0) != magic || number32(fields, 4) != boltVersion {
		return head{}, foreignError("it is no file of bbolt, or its head is damaged")
	}
	sum := fnv.New64a()
	sum.Write(fields[:56])
	h := head{
		pageSize: int(number32(fields, 8)),
		first:    number64(fields, 16), free: number64(fields, 32),
		pages: number64(fields, 40), transaction: number64(fields, 48),
	}
	if sum.Sum64() != number64(fields, 56) || h.pageSize < fileHead {
		return head{}, damagef("a head of the file is not as it was written")
	}
	return h, nil
}

func number32(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
func number64(b []byte, at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }

func damagef(text string, args ...any) error {
	return foreignError("damaged: " + fmt.Sprintf(text, args...))
}
