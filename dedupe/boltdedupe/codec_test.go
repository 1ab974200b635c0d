package boltdedupe_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

var codecRows = []dedupe.Row{
	{State: dedupe.Processing},
	{
		State: dedupe.Completed, Owner: dedupe.Owner{0, 1, 0xff, 15: 7}, Fence: 1_700_000_000_000, Claims: 3, Failures: 2,
		LeaseEnd: 1_700_000_000_001, RetainEnd: 1_700_000_000_002, Created: 1_700_000_000_003, Completed: 1_700_000_000_004,
		LastError: "it failed \xff\x00", Fingerprint: strings.Repeat("f", 300), Result: []byte{0, 0xff, 1},
	},
	{State: dedupe.Failed, Fence: math.MaxInt64, Claims: math.MaxInt32, Failures: math.MinInt32, LeaseEnd: math.MinInt64},
	{State: dedupe.Parked, Result: []byte{}, ResultLost: true},
}

// A row comes back as it was stored, in every field, and an empty result is
// not none.
func TestRowRoundTrip(t *testing.T) {
	for _, want := range codecRows {
		got, err := boltdedupe.ParseRow("k", boltdedupe.AppendRow(nil, "k", &want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("row = %+v, %v\nwant  %+v", got, err, want)
		}
	}
}

// A stored row that lost its end, grew one, changed in any single bit or
// belongs to another key is an error: none of these may become done work.
func TestRowDamaged(t *testing.T) {
	for _, row := range codecRows {
		stored := boltdedupe.AppendRow(nil, "k", &row)
		for n := range stored {
			wantRowError(t, "k", stored[:n])
		}
		wantRowError(t, "k", append(stored[:len(stored):len(stored)], 0))
		wantRowError(t, "other", stored)
		for bit := range len(stored) * 8 {
			stored[bit/8] ^= 1 << (bit % 8)
			wantRowError(t, "k", stored)
			stored[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// A row that is whole but not one that this version writes is an error too.
func TestRowUnknown(t *testing.T) {
	stored := boltdedupe.AppendRow(nil, "k", &codecRows[1])
	body := stored[:len(stored)-4]
	for _, test := range []struct {
		name string
		edit func(b []byte) []byte
	}{
		{"newer version", func(b []byte) []byte { b[0] = 2; return b }},
		{"JSON", func([]byte) []byte { return []byte(`{"state":"COMPLETED","owner":"00000000000000000000"}`) }},
		{"absent state", func(b []byte) []byte { b[1] = 0; return b }},
		{"unknown state", func(b []byte) []byte { b[1] = 5; return b }},
		{"unknown flag", func(b []byte) []byte { b[2] |= 4; return b }},
		{"result without its flag", func(b []byte) []byte { b[2] = 0; return b }},
		{"cut field", func(b []byte) []byte { return b[:len(b)-1] }},
		{"field too many", func(b []byte) []byte { return append(b, 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantRowError(t, "k", boltdedupe.Seal("k", test.edit(append([]byte(nil), body...))))
		})
	}
}

// Whatever bytes are stored, they are exactly what storing the row that was
// read of them gives, or they are refused with a RowError that names the key.
func FuzzParseRow(f *testing.F) {
	for _, row := range codecRows {
		stored := boltdedupe.AppendRow(nil, "k", &row)
		f.Add(stored[:len(stored)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if row, err := boltdedupe.ParseRow("k", body); err == nil {
			t.Logf("checksum found by chance: %+v", row)
		}
		row, err := boltdedupe.ParseRow("k", boltdedupe.Seal("k", body))
		if err != nil {
			if re, ok := errors.AsType[*boltdedupe.RowError](err); !ok || re.Key != "k" || !errors.Is(err, boltdedupe.ErrRow) || row.Exists() {
				t.Fatalf("got %+v and %v, want a RowError alone", row, err)
			}
			return
		}
		if again := boltdedupe.AppendRow(nil, "k", &row); !bytes.Equal(again, boltdedupe.Seal("k", body)) {
			t.Fatalf("%x was read as %+v, which is stored as %x", body, row, again)
		}
		if !row.Exists() {
			t.Fatalf("read a row that does not exist: %+v", row)
		}
	})
}

func wantRowError(t *testing.T, key dedupe.Key, stored []byte) {
	t.Helper()
	row, err := boltdedupe.ParseRow(key, stored)
	re, ok := errors.AsType[*boltdedupe.RowError](err)
	if !ok || re.Key != key || !errors.Is(err, boltdedupe.ErrRow) || row.Exists() {
		t.Errorf("ParseRow(%q, %x) = %+v, %v; want no row and a RowError", key, stored, row, err)
	}
}
