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

// storedTotal returns the total that the file has and the transaction that
// wrote it, which is the last one when the file is whole.
func storedTotal(tx *bbolt.Tx) (t total, id uint64) {
	b := tx.Bucket([]byte(metaBucket)).Get([]byte(totalKey))
	if len(b) != 3*8 {
		return total{}, 0
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return total{rows: field(1), sum: field(2)}, field(0)
}

func (t total) store(tx *bbolt.Tx) error {
	var b []byte
	for _, n := range []uint64{uint64(tx.ID()), t.rows, t.sum} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return tx.Bucket([]byte(metaBucket)).Put([]byte(totalKey), b)
}

// check says whether the rows that are there are those that were stored.
func (t total) check(tx *bbolt.Tx) error {
	want, id := storedTotal(tx)
	if id != uint64(tx.ID()) {
		return damagef("its rows are of transaction %d, its last one is %d", id, tx.ID())
	}
	if t != want {
		return damagef("%d rows were stored, %d are there, or not all as they were", want.rows, t.rows)
	}
	return nil
}
