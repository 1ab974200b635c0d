package boltdedupe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// newTransaction is the last one of a file that bbolt has made and nobody has
// written to.
const newTransaction = 1

// checkFile reads a whole file of this size that nobody writes to, and returns
// an error when it is not ours or not whole. A file that has nothing in it yet
// is whole.
func checkFile(file io.ReaderAt, size int64) error {
	h, err := readHead(file, size)
	if err != nil {
		return err
	}
	if err := warmUp(file, size); err != nil {
		return err
	}
	var rows total
	meta := map[string][]byte{}
	buckets, err := checkTree(file, h, map[string]pairsFunc{
		metaBucket: func(key, value []byte) { meta[string(key)] = bytes.Clone(value) },
		rowBucket:  rows.add,
	})
	if err != nil || buckets == 0 && h.transaction <= newTransaction {
		return err
	}
	if got := meta[formatKey]; string(got) != format {
		return foreignError(fmt.Sprintf("it has format %q, this program reads %q", got, format))
	}
	switch want, written, ok := parseTotal(meta[totalKey]); {
	case !ok || buckets != 2:
		return damagef("it has no rows, or no total of them")
	case written != h.transaction:
		return damagef("its rows are of transaction %d, its last one is %d", written, h.transaction)
	case rows != want:
		return damagef("%d rows were stored, %d are there, or not all as they were", want.rows, rows.rows)
	}
	return nil
}

// readHead returns the head of the last transaction. The other one must be
// sound too: bbolt would go on with it, without the last transaction. A power
// failure leaves both so, as each is within one sector.
func readHead(file io.ReaderAt, size int64) (head, error) {
	first, err := headAt(file, size, 0)
	if err != nil {
		return head{}, err
	}
	last, err := headAt(file, size, first.pageSize)
	if err != nil {
		return head{}, err
	}
	if last.pageSize != first.pageSize {
		return head{}, damagef("pages have %d bytes, or %d", first.pageSize, last.pageSize)
	}
	switch {
	case last.transaction == first.transaction: // bbolt writes them in turn
		return head{}, damagef("both heads are of transaction %d", last.transaction)
	case last.transaction < first.transaction:
		last = first
	}
	if there := uint64(size) / uint64(last.pageSize); last.pages > there {
		return head{}, damagef("truncated to %d of %d pages", there, last.pages)
	}
	return last, nil
}

func headAt(file io.ReaderAt, size int64, at int) (head, error) {
	if size < int64(at)+fileHead {
		return head{}, foreignError(fmt.Sprintf("%d bytes are no file of bbolt, or it is truncated", size))
	}
	b := make([]byte, fileHead)
	if _, err := file.ReadAt(b, int64(at)); err != nil {
		return head{}, err
	}
	return parseHead(b)
}

// warmUp reads the file in order, which brings it into memory many times
// faster than page by page.
func warmUp(file io.ReaderAt, size int64) error {
	b := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(b)) {
		if _, err := file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
