package boltdedupe

import (
	"encoding/binary"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The stored form of rows, for its round-trip and fuzz tests.
var (
	AppendRow = appendRow
	ParseRow  = parseRow
)

// Seal appends the checksum that body has as the row of key, so that tests
// get past it.
func Seal(key dedupe.Key, body []byte) []byte {
	return binary.BigEndian.AppendUint32(body[:len(body):len(body)], checksum(key, body))
}
