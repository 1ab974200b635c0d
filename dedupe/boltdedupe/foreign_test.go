package boltdedupe_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// foreign is what somebody else has put under a key.
type foreign struct {
	name   string
	stored []byte
	named  string // in the error, beside the key
}

// foreignRows returns rows of key that this version does not write.
func foreignRows(key dedupe.Key) []foreign {
	later := dedupe.MillisOf(time.Now().Add(time.Hour))
	row := dedupe.Row{State: dedupe.Completed, Owner: dedupe.Owner{1}, Completed: 1, LeaseEnd: later, RetainEnd: later, Result: []byte{}}
	whole := boltdedupe.AppendRow(nil, key, &row)
	body := whole[:len(whole)-4]
	short := boltdedupe.AppendRow(nil, key, &dedupe.Row{State: dedupe.Completed, Owner: dedupe.Owner{1}, Result: []byte{}})
	const head = 19 // of a row, before its fields

	all := []foreign{
		{"version 0", boltdedupe.Seal(key, append([]byte{0}, body[1:]...)), "version 0"},
		{"version 2", boltdedupe.Seal(key, append([]byte{2}, body[1:]...)), "version 2"},
		{"no bytes", []byte{}, "no bytes"},
		{"version alone", []byte{1}, "too few"},
		{"another key's row", boltdedupe.AppendRow(nil, "v1:orders:000000007", &row), "checksum"},
		{"no checksum", body, "checksum"},
		{"state 0", boltdedupe.Seal(key, append([]byte{1, 0}, body[2:]...)), "unknown state 0"},
		{"state 5", boltdedupe.Seal(key, append([]byte{1, 5}, body[2:]...)), "unknown state 5"},
		{"flags", boltdedupe.Seal(key, append([]byte{1, 2, 0x81}, body[3:]...)), "unknown flags"},
		{"bytes behind", boltdedupe.Seal(key, append(bytes.Clone(body), 0)), "1 bytes too many"},
		{"JSON", []byte(`{"state":"COMPLETED","owner":"01000000000000000000000000000000"}`), "version 123"},
		{"text", []byte("COMPLETED"), "version 67"},
		{"zeros", make([]byte, 64), "version 0"},
	}
	for i, field := range []string{"fence", "claims", "failures", "lease end", "retention end", "created", "completed", "last error", "fingerprint", "result"} {
		at := head + i // each takes one byte
		named := strconv.Quote(field)
		with := func(instead ...byte) []byte { return boltdedupe.Seal(key, append(bytes.Clone(short[:at]), instead...)) }
		all = append(all,
			foreign{field + " cut off", with(), named},
			foreign{field + " without an end", with(0x80), named},
			foreign{field + " too long", with(bytes.Repeat([]byte{0xff}, 11)...), named},
			foreign{field + " in a longer form", with(append([]byte{0x80, 0x00}, short[at+1:len(short)-4]...)...), named})
		if field == "claims" || field == "failures" {
			all = append(all, foreign{field + " of more than 32 bits", with(0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f), named})
		}
		if i > 6 {
			all = append(all, foreign{field + " longer than the row", with(200, 1, 'x'), named}, foreign{field + " of 2^63 bytes", with(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01), named})
		}
	}
	return all
}

// A row that somebody else has put under a key, of another version, with
// fields that are cut off or too large, or of another program, is an error
// that names the key and, where there is one, the field, whatever is asked of
// it. Nobody is told that it is done, it stays as it is, and the other keys of
// the call are decided.
func TestForeignRows(t *testing.T) {
	const key = "v1:orders:000000000"
	for _, f := range foreignRows(key) {
		path := filepath.Join(t.TempDir(), "rows.db")
		open(t, path).Close()
		rewrite(t, path, func(tx *bbolt.Tx) error { return boltdedupe.PutStored(tx, key, f.stored) })
		s, err := boltdedupe.Open(path, boltdedupe.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for kind := dedupe.OpClaim; kind <= dedupe.OpRelease; kind++ {
			for _, owner := range []dedupe.Owner{{1}, {2}} {
				ops := claims(0, 2)
				ops[0].Kind, ops[0].Owner = kind, owner
				wantForeign(t, s, f, ops)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, func(tx *bbolt.Tx) error {
			if got := tx.Bucket([]byte("rows")).Get([]byte(key)); !bytes.Equal(got, f.stored) {
				t.Errorf("%s: the row became %x, was %x", f.name, got, f.stored)
			}
			return nil
		})
	}
}

// wantForeign applies ops, of which the first is on the key of f.
func wantForeign(t *testing.T, s *boltdedupe.Store, f foreign, ops []dedupe.Op) {
	t.Helper()
	vs, err := s.Apply(t.Context(), ops)
	if err != nil {
		t.Fatalf("%s: %v: %v", f.name, ops[0].Kind, err)
	}
	re, ok := errors.AsType[*boltdedupe.RowError](vs[0].Err)
	if vs[0].Outcome != dedupe.Undecided || !ok || !errors.Is(vs[0].Err, boltdedupe.ErrRow) || re.Key != ops[0].Key ||
		!strings.Contains(vs[0].Err.Error(), strconv.Quote(string(ops[0].Key))) || !strings.Contains(vs[0].Err.Error(), f.named) {
		t.Errorf("%s: %v is %v, %v; want a RowError that names the key and %s", f.name, ops[0].Kind, vs[0].Outcome, vs[0].Err, f.named)
	}
	if vs[1].Outcome != dedupe.Won {
		t.Errorf("%s: claim of the other key is %v, %v", f.name, vs[1].Outcome, vs[1].Err)
	}
}
