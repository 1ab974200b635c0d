package httpsource

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"

	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
)

// The stored form of a response, whose numbers are unsigned varints in their
// shortest form and whose texts have their length in front:
//
//	version, 1 byte
//	kind, 1 byte: whole, or without header and body
//	status
//	number of headers, by name in rising order; each: name, number of values, values
//	body
//	CRC-32C of all that, 4 bytes, big endian
const (
	storedVersion = 1

	kindWhole   = 0
	kindWithout = 1 // it was too large
)

// StoredError says that the stored response of a finished request cannot be
// read: it is damaged, or of a version that this build does not know. It is
// told to the guard's observer.
type StoredError struct {
	Err error
}

func (e *StoredError) Error() string { return "httpsource: stored response: " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *StoredError) Unwrap() error { return e.Err }

var (
	errVersion  = errors.New("unknown version")
	errChecksum = errors.New("wrong checksum")
	errForm     = errors.New("not of the form of its version")
)

// encode returns the stored form of a response, at most limit bytes long:
// without header and body when it would be longer.
func encode(r *httpbuf.Response, limit int) []byte {
	names := make([]string, 0, len(r.Header))
	size := 24 + len(r.Body)
	for name, values := range r.Header {
		names = append(names, name)
		size += len(name) + 12
		for _, v := range values {
			size += len(v) + 10
		}
	}
	slices.Sort(names)
	b := binary.AppendUvarint(append(make([]byte, 0, size), storedVersion, kindWhole), uint64(r.Status))
	head := len(b)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = appendText(b, name)
		b = binary.AppendUvarint(b, uint64(len(r.Header[name])))
		for _, v := range r.Header[name] {
			b = appendText(b, v)
		}
	}
	b = append(b, r.Body...)
	if len(b)+crc32.Size > limit {
		b = b[:head]
		b[1] = kindWithout
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// castagnoli returns the table of CRC-32C, which crc32 makes once.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// decode reads what encode wrote, and nothing else. The error is errLost for
// a response that was too large, else a [StoredError]. The body is a part of
// data.
func decode(data []byte) (*httpbuf.Response, error) {
	n := len(data) - crc32.Size
	switch {
	case n < 3:
		return nil, &StoredError{errForm}
	case data[0] != storedVersion:
		return nil, &StoredError{errVersion}
	case crc32.Checksum(data[:n], castagnoli()) != binary.BigEndian.Uint32(data[n:]):
		return nil, &StoredError{errChecksum}
	case data[1] > kindWithout:
		return nil, &StoredError{errForm}
	}
	d := decoder{rest: data[2:n]}
	r := &httpbuf.Response{Status: d.number()}
	if r.Status < 200 || r.Status > 999 {
		d.bad = true
	}
	if data[1] == kindWithout {
		if d.bad || len(d.rest) > 0 {
			return nil, &StoredError{errForm}
		}
		return nil, errLost
	}
	r.Header = d.header()
	r.Body = d.rest
	if d.bad || len(r.Body) > 0 && !httpbuf.BodyAllowed(r.Status) {
		return nil, &StoredError{errForm}
	}
	return r, nil
}

// decoder reads the parts of a stored response. Once bad it returns nothing.
type decoder struct {
	rest []byte
	bad  bool
}

// number reads a varint of at most 31 bits in its shortest form.
func (d *decoder) number() int {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || v > 1<<31-1 || n > 1 && d.rest[n-1] == 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) text() string {
	n := d.number()
	if d.bad || n > len(d.rest) {
		d.bad = true
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// header reads all headers. Every one, and every value, takes a byte at least,
// so that a number alone cannot ask for memory.
func (d *decoder) header() http.Header {
	n := d.number()
	if d.bad || n > len(d.rest) {
		d.bad = true
		return nil
	}
	h := make(http.Header, n)
	before := ""
	for range n {
		name := d.text()
		count := d.number()
		if d.bad || !httpbuf.Sendable(name) || name <= before || count > len(d.rest) {
			d.bad = true
			return nil
		}
		values := make([]string, count)
		for i := range values {
			values[i] = d.text()
			if strings.ContainsAny(values[i], "\r\n\x00") {
				d.bad = true
			}
		}
		h[name], before = values, name
	}
	return h
}

// lasting returns the headers that a replay has too: without those of the
// connection, the date and the cookies, which were for one client at one time.
func lasting(h http.Header) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		if !passing(name) {
			kept[name] = values
		}
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			kept.Del(strings.TrimSpace(name))
		}
	}
	return kept
}

// passing reports whether a header is not stored.
func passing(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Upgrade",
		"Date", "Set-Cookie", ReplayedHeader:
		return true
	}
	return false
}
