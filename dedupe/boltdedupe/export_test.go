package boltdedupe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// AppendRow and ParseRow are the stored form of rows, for its round-trip and
// fuzz tests.
func AppendRow(b []byte, key dedupe.Key, r *dedupe.Row) []byte { return appendRow(b, []byte(key), r) }

func ParseRow(key dedupe.Key, b []byte) (dedupe.Row, error) { return parseRow([]byte(key), b) }

// Seal appends the checksum that body has as the row of key, so that tests
// get past it.
func Seal(key dedupe.Key, body []byte) []byte {
	return binary.BigEndian.AppendUint32(body[:len(body):len(body)], checksum([]byte(key), body))
}

// Syncs reports whether transactions wait for the disk.
func Syncs(s *Store) bool { return !s.db.NoSync && !s.db.NoGrowSync }

// Unsynced makes the store take its last transaction for one that is not on
// disk yet, and holds all writers up until commit is called, as the sync would.
func Unsynced(s *Store) (commit func() error, err error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, err
	}
	s.synced.Add(-1)
	return tx.Rollback, nil
}

// PutStored stores b as the row of key, as another version of this package
// might.
func PutStored(tx *bbolt.Tx, key dedupe.Key, b []byte) error {
	t := newTable(tx)
	t.total = loadTotal(tx)
	t.key, t.enc, t.stored = []byte(key), b, t.rows.Get([]byte(key))
	return errors.Join(t.put(), t.total.store(tx))
}

// CheckFile reads a whole file, as Open does. ours says that its error is one
// of those that become ErrFormat.
func CheckFile(file []byte) (ours bool, err error) {
	err = checkFile(bytes.NewReader(file), int64(len(file)))
	_, ours = errors.AsType[foreignError](err)
	return ours, err
}

// SealHeads gives the heads of a file the checksums that they have now, so that
// tests get past these. The file has two pages at least.
func SealHeads(file []byte, pageSize int) {
	for _, at := range []int{0, pageSize} {
		fields := file[at+pageHead : at+fileHead]
		sum := fnv.New64a()
		sum.Write(fields[:56])
		binary.NativeEndian.PutUint64(fields[56:], sum.Sum64())
	}
}
