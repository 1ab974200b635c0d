package dynamodedupe_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// Every row comes back as it was stored, whatever stands in its fields.
func TestRowRoundTrip(t *testing.T) {
	for _, r := range []dedupe.Row{
		{State: dedupe.Processing},
		{
			State: dedupe.Completed, Owner: dedupe.Owner{0xff, 1}, Fence: math.MaxInt64, Claims: math.MaxInt32, Failures: 3,
			LeaseEnd: 1, RetainEnd: math.MaxInt64 / 2, Created: -1, Completed: 5, LastError: "e\xff", Fingerprint: "f",
			Result: []byte{}, ResultLost: true,
		},
		{State: dedupe.Parked, Fence: math.MinInt64, Result: []byte("\x00\xff")},
		{State: dedupe.Failed, LastError: "\u2713 \x00", Fingerprint: "\xfe"},
	} {
		got, err := dynamodedupe.ParseRow("k", dynamodedupe.ItemOf("k", &r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("row %+v came back as %+v, %v", r, got, err)
		}
	}
}

// An item with anything missing or of another type is refused; an attribute
// of somebody else's is not.
func TestMalformedItems(t *testing.T) {
	row := dedupe.Row{
		State: dedupe.Completed, Completed: 1, LastError: "e", Fingerprint: "f", Result: []byte("r"), ResultLost: true, RetainEnd: 1,
	}
	optional := map[string]bool{"completed": true, "last_error": true, "fingerprint": true, "result": true, "result_lost": true, "ttl": true}
	for name := range dynamodedupe.ItemOf("k", &row) {
		item := dynamodedupe.ItemOf("k", &row)
		delete(item, name)
		if _, err := dynamodedupe.ParseRow("k", item); errors.Is(err, dynamodedupe.ErrRow) == optional[name] {
			t.Errorf("without %q: %v", name, err)
		}
		item[name] = &types.AttributeValueMemberNULL{Value: true}
		if _, err := dynamodedupe.ParseRow("k", item); !errors.Is(err, dynamodedupe.ErrRow) && name != "ttl" {
			t.Errorf("with %q = NULL: %v, want ErrRow", name, err)
		}
	}
	item := dynamodedupe.ItemOf("k", &row)
	if _, err := dynamodedupe.ParseRow("other", item); !errors.Is(err, dynamodedupe.ErrRow) {
		t.Errorf("the item of another key: %v, want ErrRow", err)
	}
	item["team"] = &types.AttributeValueMemberS{Value: "ours"}
	if _, err := dynamodedupe.ParseRow("k", item); err != nil {
		t.Errorf("with an attribute more: %v", err)
	}
	if r, err := dynamodedupe.ParseRow("k", nil); err != nil || r.Exists() {
		t.Errorf("no item: %+v, %v, want no row", r, err)
	}
}

// Whatever is in an item, it is a row that is stored the same way again, or
// an error: never no row.
func FuzzParseRow(f *testing.F) {
	f.Add("1", "COMPLETED", "00000000000000000000000000000001", "5", "1", "-2", "e", []byte("r"), true)
	f.Add("2", "ABSENT", "", "1e3", "99999999999", "", "", []byte{}, false)
	f.Fuzz(func(t *testing.T, version, state, owner, fence, claims, end, text string, result []byte, lost bool) {
		n := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
		s := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
		item := map[string]types.AttributeValue{
			"pk": s("k"), "v": n(version), "state": s(state), "owner": s(owner), "fence": n(fence), "claims": n(claims),
			"failures": n(claims), "lease_end": n(end), "retain_end": n(fence), "created": n(end), "completed": n(fence),
			"last_error": s(text), "fingerprint": &types.AttributeValueMemberB{Value: result},
			"result": &types.AttributeValueMemberB{Value: result}, "result_lost": &types.AttributeValueMemberBOOL{Value: lost},
		}
		row, err := dynamodedupe.ParseRow("k", item)
		if err != nil {
			if !errors.Is(err, dynamodedupe.ErrRow) || row.Exists() {
				t.Fatalf("%+v and an error that is no ErrRow: %v", row, err)
			}
			return
		}
		if !row.Exists() || version != "1" {
			t.Fatalf("version %q, state %q gave %+v", version, state, row)
		}
		again, err := dynamodedupe.ParseRow("k", dynamodedupe.ItemOf("k", &row))
		if err != nil || !reflect.DeepEqual(again, row) {
			t.Fatalf("%+v came back as %+v, %v", row, again, err)
		}
	})
}
