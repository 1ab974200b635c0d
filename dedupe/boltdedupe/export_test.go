package boltdedupe

import (
	"encoding/binary"

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
