package boltdedupe

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A stored row is
//
//	version, state, flags         one byte each
//	owner                         16 bytes
//	fence, claims, failures,      signed varints
//	lease end, retention end,
//	created, completed
//	last error, fingerprint       length as a varint, then the bytes
//	result                        the same, present when its flag is set
//	CRC-32C of the key and all of the above, 4 bytes, big-endian
//
// It is binary because results are, and because a claim of ten keys should
// cost its syncs and not its encoding. The checksum is there because bbolt has
// none on its data pages and one flipped bit makes PROCESSING a COMPLETED; it
// covers the key, so that a row is never read as another key's.
const rowVersion = 1

const (
	flagResult     = 1 << iota // a result follows, possibly an empty one
	flagResultLost             // Row.ResultLost
	flagsKnown     = flagResult | flagResultLost
)

const (
	ownerAt  = 3
	headSize = ownerAt + len(dedupe.Owner{})
	sumSize  = 4
)

// appendRow appends the stored form of key's row to b.
func appendRow(b, key []byte, r *dedupe.Row) []byte {
	start := len(b)
	var flags byte
	if r.Result != nil {
		flags |= flagResult
	}
	if r.ResultLost {
		flags |= flagResultLost
	}
	b = append(b, rowVersion, byte(r.State), flags)
	b = append(b, r.Owner[:]...)
	for _, n := range [...]int64{
		r.Fence, int64(r.Claims), int64(r.Failures),
		int64(r.LeaseEnd), int64(r.RetainEnd), int64(r.Created), int64(r.Completed),
	} {
		b = binary.AppendVarint(b, n)
	}
	b = appendBytes(b, r.LastError)
	b = appendBytes(b, r.Fingerprint)
	if r.Result != nil {
		b = appendBytes(b, r.Result)
	}
	return binary.BigEndian.AppendUint32(b, checksum(key, b[start:]))
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// parseRow reads what appendRow wrote for key. The row shares no memory with
// b. Whatever is not exactly what appendRow writes is a [*RowError]: a guess
// could make work done that was not.
func parseRow(key, b []byte) (dedupe.Row, error) {
	fail := func(format string, args ...any) (dedupe.Row, error) {
		return dedupe.Row{}, &RowError{Key: dedupe.Key(key), Reason: fmt.Sprintf(format, args...)}
	}
	if len(b) == 0 {
		return fail("no bytes")
	}
	if b[0] != rowVersion {
		return fail("written in row version %d, this program reads %d", b[0], rowVersion)
	}
	if len(b) < headSize+sumSize {
		return fail("%d bytes are too few", len(b))
	}
	body, sum := b[:len(b)-sumSize], binary.BigEndian.Uint32(b[len(b)-sumSize:])
	if checksum(key, body) != sum {
		return fail("checksum differs")
	}

	r := dedupe.Row{State: dedupe.State(body[1]), ResultLost: body[2]&flagResultLost != 0}
	if r.State < dedupe.Processing || r.State > dedupe.Parked {
		return fail("unknown state %d", body[1])
	}
	if body[2]&^flagsKnown != 0 {
		return fail("unknown flags %#x", body[2])
	}
	copy(r.Owner[:], body[ownerAt:])

	in := reader{rest: body[headSize:]}
	r.Fence = in.int("fence")
	r.Claims, r.Failures = in.int32("claims"), in.int32("failures")
	r.LeaseEnd, r.RetainEnd = dedupe.Millis(in.int("lease end")), dedupe.Millis(in.int("retention end"))
	r.Created, r.Completed = dedupe.Millis(in.int("created")), dedupe.Millis(in.int("completed"))
	r.LastError, r.Fingerprint = string(in.bytes("last error")), string(in.bytes("fingerprint"))
	if body[2]&flagResult != 0 {
		r.Result = append([]byte{}, in.bytes("result")...) // never nil: a result of no bytes is one
	}
	if in.bad != "" {
		return fail("malformed field %q", in.bad)
	}
	if len(in.rest) != 0 {
		return fail("%d bytes too many", len(in.rest))
	}
	return r, nil
}

// reader takes fields off the front of a row and remembers the first that was
// malformed.
type reader struct {
	rest []byte
	bad  string
}

func (in *reader) fail(field string) {
	if in.bad == "" {
		in.bad = field
	}
}

func (in *reader) int(field string) int64 {
	v, n := binary.Varint(in.rest)
	if n <= 0 || longer(in.rest[:n]) {
		in.fail(field)
		return 0
	}
	in.rest = in.rest[n:]
	return v
}

func (in *reader) int32(field string) int32 {
	v := in.int(field)
	if v < math.MinInt32 || v > math.MaxInt32 {
		in.fail(field)
	}
	return int32(v)
}

func (in *reader) bytes(field string) []byte {
	size, n := binary.Uvarint(in.rest)
	if n <= 0 || longer(in.rest[:n]) || size > uint64(len(in.rest)-n) {
		in.fail(field)
		return nil
	}
	v := in.rest[n : n+int(size)]
	in.rest = in.rest[n+int(size):]
	return v
}

// longer reports whether a varint is spelled with more bytes than it needs.
func longer(varint []byte) bool { return len(varint) > 1 && varint[len(varint)-1] == 0 }

// checksum returns the CRC-32C of a row's key and body.
func checksum(key, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // cached by the package
	return crc32.Update(crc32.Checksum(key, table), table, body)
}
