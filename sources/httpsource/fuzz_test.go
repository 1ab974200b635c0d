package httpsource_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"reflect"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// full is a response with a little of everything.
func full() *httpsource.Response {
	return &httpsource.Response{
		Status: 201,
		Header: http.Header{"Content-Type": {"application/json"}, "Link": {"<a>", "<b>"}, "X-Empty": {""}, "X-None": {}, "x-raw": {"ä"}},
		Body:   []byte(`{"order":1}`),
	}
}

// sealed returns data with its checksum.
func sealed(data []byte) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(data), crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

// A response is decoded as it was encoded. Cut off anywhere, with any bit
// changed or anything behind it, it is refused with a StoredError.
func TestStoredForm(t *testing.T) {
	for _, r := range []*httpsource.Response{full(), {Status: 204, Header: http.Header{}}, {Status: 999, Header: http.Header{"A": {"1"}}}} {
		data := httpsource.Encode(r, 1<<20)
		got, err := httpsource.Decode(data)
		if err != nil || got.Status != r.Status || !reflect.DeepEqual(got.Header, r.Header) || !bytes.Equal(got.Body, r.Body) {
			t.Errorf("got %+v, %v, want %+v", got, err, r)
		}
		wantRefused := func(what string, data []byte) {
			t.Helper()
			if got, err := httpsource.Decode(data); !isStoredError(err) {
				t.Errorf("%s: got %+v, %v, want a StoredError", what, got, err)
			}
		}
		for n := range data {
			wantRefused("cut off", data[:n])
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[n] ^= 1 << bit
				wantRefused("changed", bad)
			}
		}
		wantRefused("longer", append(bytes.Clone(data), 0))
	}
}

// What has a right checksum and is not what this build writes is refused too.
func TestStoredFormStrict(t *testing.T) {
	for name, data := range map[string]string{
		"later version":     "\x02\x00\xc9\x01\x00",
		"unknown kind":      "\x01\x02\xc9\x01\x00",
		"status 100":        "\x01\x00\x64\x00",
		"status 1000":       "\x01\x00\xe8\x07\x00",
		"longer varint":     "\x01\x00\xc9\x81\x00\x00",
		"many headers":      "\x01\x00\xc9\x01\xff\xff\xff\xff\x0f",
		"endless varint":    "\x01\x00\xc9\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"header breaks off": "\x01\x00\xc9\x01\x01\x05ab",
		"values break off":  "\x01\x00\xc9\x01\x01\x01a\x01\x05x",
		"many values":       "\x01\x00\xc9\x01\x01\x01a\xff\x7f",
		"no name":           "\x01\x00\xc9\x01\x01\x00\x00",
		"name with a blank": "\x01\x00\xc9\x01\x01\x03a b\x00",
		"wrong order":       "\x01\x00\xc9\x01\x02\x01b\x00\x01a\x00",
		"same name twice":   "\x01\x00\xc9\x01\x02\x01a\x00\x01a\x00",
		"value with lines":  "\x01\x00\xc9\x01\x01\x01a\x01\x03x\ry",
		"body of a 204":     "\x01\x00\xcc\x01\x00body",
		"lost with a body":  "\x01\x01\xc9\x01x",
	} {
		if got, err := httpsource.Decode(sealed([]byte(data))); !isStoredError(err) {
			t.Errorf("%s: got %+v, %v, want a StoredError", name, got, err)
		}
	}
	if _, err := httpsource.Decode(httpsource.Encode(full(), 20)); !httpsource.IsLost(err) {
		t.Errorf("got %v for a response above the limit, want that it is lost", err)
	}
	if data := httpsource.Encode(full(), 1<<20); len(httpsource.Encode(full(), len(data))) != len(data) || len(httpsource.Encode(full(), len(data)-1)) > 12 {
		t.Errorf("a response of exactly the limit is kept, one byte more is not")
	}
}

func isStoredError(err error) bool {
	_, ok := errors.AsType[*httpsource.StoredError](err)
	return ok
}

// Whatever is stored, it is refused with a StoredError, or it is exactly what
// encoding the decoded response gives: there are no two forms of a response,
// and none that cannot be sent.
func FuzzStored(f *testing.F) {
	data := httpsource.Encode(full(), 1<<20)
	f.Add(data[:len(data)-4])
	lost := httpsource.Encode(full(), 20)
	f.Add(lost[:len(lost)-4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := httpsource.Decode(content); err != nil && !isStoredError(err) && !httpsource.IsLost(err) {
			t.Fatalf("got %v, want a StoredError", err)
		}
		data := sealed(content)
		r, err := httpsource.Decode(data)
		switch {
		case httpsource.IsLost(err) || isStoredError(err):
		case err != nil:
			t.Fatalf("got %v, want a StoredError", err)
		case !bytes.Equal(httpsource.Encode(r, len(data)), data):
			t.Fatalf("%+v is encoded as %x, was %x", r, httpsource.Encode(r, len(data)), data)
		}
	})
}
