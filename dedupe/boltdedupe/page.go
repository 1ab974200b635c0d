package boltdedupe

import (
	"encoding/binary"
	"fmt"
)

// A page of bbolt is a head, then a table of elements that say where their
// keys are, from where they are themselves. All numbers are the machine's.
//
//	head               number, 8 bytes; flags, 2; elements, 2; pages that follow as a part of this one, 4
//	element, branch    offset, size of the key, 4 each; number of the page below, 8
//	element, leaf      flags, offset, size of the key, size of the value after it, 4 each
//
// An element of a leaf with the flag isBucket is a bucket. Its value is the
// number of its first page and a sequence, 8 bytes each; the number is 0 when
// the page, always a leaf, follows within the value.
const (
	headSizeOfPage = 16
	elementSize    = 16
	bucketSize     = 16

	branchPage = 1
	leafPage   = 2
	isBucket   = 1
)

// page is what was read of one, with the pages that are a part of it.
type page []byte

func (p page) number() uint64   { return binary.NativeEndian.Uint64(p) }
func (p page) flags() uint16    { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) elements() int    { return int(binary.NativeEndian.Uint16(p[10:])) }
func (p page) overflow() uint32 { return binary.NativeEndian.Uint32(p[12:]) }

// check says whether the elements can be read at all.
func (p page) check() error {
	if len(p) < headSizeOfPage || len(p) < headSizeOfPage+p.elements()*elementSize {
		return damagef("a page of %d bytes is too short", len(p))
	}
	return nil
}

// branch returns an element of a branch.
func (p page) branch(i int) (key []byte, child uint64, err error) {
	at := headSizeOfPage + i*elementSize
	e := p[at:]
	key, _, err = p.pair(at, field(e, 0), field(e, 1), 0)
	return key, binary.NativeEndian.Uint64(e[8:]), err
}

// leaf returns an element of a leaf.
func (p page) leaf(i int) (key, value []byte, bucket bool, err error) {
	at := headSizeOfPage + i*elementSize
	e := p[at:]
	if flags := field(e, 0); flags&^isBucket != 0 {
		return nil, nil, false, damagef("an element has flags %#x", flags)
	}
	key, value, err = p.pair(at, field(e, 1), field(e, 2), field(e, 3))
	return key, value, field(e, 0) == isBucket, err
}

func field(e []byte, i int) uint32 { return binary.NativeEndian.Uint32(e[4*i:]) }

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

func damagef(format string, args ...any) error {
	return foreignError("damaged: " + fmt.Sprintf(format, args...))
}
