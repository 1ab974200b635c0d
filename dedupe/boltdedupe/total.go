package boltdedupe

import (
	"encoding/binary"
	"hash/crc64"

	"go.etcd.io/bbolt"
)

// total is what all rows of a file amount to. Each transaction writes it with
// the rows that it changes, and Open compares it with the rows that are there:
// a page that a disk lost, or put an older one for, takes rows with it that
// nothing else would miss.
type total struct {
	rows uint64
	sum  uint64 // of the rows' checksums, which need no order
}

func (t *total) add(key, value []byte) {
	t.rows++
	t.sum += digest(key, value)
}

func (t *total) remove(key, value []byte) {
	t.rows--
	t.sum -= digest(key, value)
}

// digest is the checksum of a row as it is stored. It is not the one that the
// row carries: a row of another version may have another, or none.
func digest(key, value []byte) uint64 {
	table := crc64.MakeTable(crc64.ECMA) // cached by the package
	return crc64.Update(crc64.Checksum(key, table), table, value)
}

// A stored total is the number of the transaction that wrote it, the rows and
// their sum, 8 bytes each.
const storedTotal = 3 * 8

// loadTotal returns what the last transaction stored.
func loadTotal(tx *bbolt.Tx) total {
	t, _, _ := parseTotal(tx.Bucket([]byte(metaBucket)).Get([]byte(totalKey)))
	return t
}

func (t total) store(tx *bbolt.Tx) error {
	b := make([]byte, 0, storedTotal)
	for _, n := range []uint64{uint64(tx.ID()), t.rows, t.sum} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return tx.Bucket([]byte(metaBucket)).Put([]byte(totalKey), b)
}

func parseTotal(b []byte) (t total, transaction uint64, ok bool) {
	if len(b) != storedTotal {
		return total{}, 0, false
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return total{rows: field(1), sum: field(2)}, field(0), true
}
