package dynamodedupe_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// ofEachType returns a value of each of DynamoDB's types. Where the text is
// of use to a type, it has it.
func ofEachType(text string) map[string]ddbtest.Value {
	yes, no, null, number, bytes, empty := true, false, true, "1", []byte(text), []ddbtest.Value{}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		number = text
	}
	return map[string]ddbtest.Value{
		"S": {S: &text}, "N": {N: &number}, "B": {B: &bytes}, "BOOL": {BOOL: &yes}, "BOOL, false": {BOOL: &no}, "NULL": {NULL: &null},
		"M": {M: map[string]ddbtest.Value{"S": {S: &text}}}, "M, empty": {M: map[string]ddbtest.Value{}},
		"L": {L: &[]ddbtest.Value{{S: &text}}}, "L, empty": {L: &empty},
		"SS": {SS: []string{text}}, "NS": {NS: []string{number}}, "BS": {BS: [][]byte{bytes}},
	}
}

// completedItem is an item with every attribute, of work that is done, as this
// package writes it.
func completedItem(key string) ddbtest.Item {
	later := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
	s := func(s string) ddbtest.Value { return ddbtest.Value{S: &s} }
	n := func(s string) ddbtest.Value { return ddbtest.Value{N: &s} }
	lost, result := true, []byte("result")
	return ddbtest.Item{
		"pk": s(key), "v": n("1"), "state": s("COMPLETED"), "owner": s("0a000000000000000000000000000001"), "fence": n("7"),
		"claims": n("1"), "failures": n("0"), "lease_end": n(later), "retain_end": n(later), "created": n("1"), "completed": n("2"),
		"last_error": s("e"), "fingerprint": s("f"), "result": {B: &result}, "result_lost": {BOOL: &lost}, "ttl": n("9000000000"),
	}
}

// wantUnreadable applies one operation of each kind to an item, by its owner
// and by another one, beside one on a sound key: it is undecided, with an
// error that names the key and, quoted, what is wrong, and the item stays.
func (r rig) wantUnreadable(what string, item ddbtest.Item, named string) {
	r.Helper()
	const key = "key-0"
	r.Put(table, item)
	before := r.Items(table)[key]
	owner, _ := dedupe.ParseOwner("0a000000000000000000000000000001")
	for kind := dedupe.OpClaim; kind <= dedupe.OpRelease; kind++ {
		for _, by := range []dedupe.Owner{owner, {2}} {
			ops := claims(1, 2)
			ops[0].Kind, ops[0].Owner = kind, by
			vs := r.apply(r.store, ops...)
			v := vs[0]
			re, ok := errors.AsType[*dynamodedupe.RowError](v.Err)
			if v.Outcome != dedupe.Undecided || !ok || !errors.Is(v.Err, dynamodedupe.ErrRow) || re.Key != key ||
				!strings.Contains(v.Err.Error(), strconv.Quote(key)) || !strings.Contains(v.Err.Error(), strconv.Quote(named)) {
				r.Errorf("%s: %v is %v, %v; want a RowError that names %q and %q", what, kind, v.Outcome, v.Err, key, named)
			}
			if vs[1].Outcome != dedupe.Won {
				r.Errorf("%s: claim of the other key is %v, %v", what, vs[1].Outcome, vs[1].Err)
			}
		}
	}
	if after := r.Items(table)[key]; !reflect.DeepEqual(after, before) {
		r.Errorf("%s: the item was %v and is %v", what, before, after)
	}
}

// An item in which any attribute is of any other type of DynamoDB's than the
// one that is written there is an error that names its key and the attribute,
// whatever is asked of it. Nobody is told that it is done.
func TestWrongTypes(t *testing.T) {
	types := map[string][]string{
		"state": {"S"}, "owner": {"S"}, "last_error": {"S", "B"}, "fingerprint": {"S", "B"}, "result": {"B"}, "result_lost": {"BOOL", "BOOL, false"},
	}
	bubble(t, ddbtest.Options{}, func(r rig) {
		whole := completedItem("key-0")
		for name, right := range whole {
			if name == "pk" || name == "ttl" { // the first is the table's, the second is not read
				continue
			}
			ours := types[name]
			if right.N != nil {
				ours = []string{"N"}
			}
			text := "1"
			if right.S != nil {
				text = *right.S
			}
			for typ, value := range ofEachType(text) {
				if slices.Contains(ours, typ) {
					continue
				}
				item := maps.Clone(whole)
				item[name] = value
				r.wantUnreadable(name+" of type "+typ, item, name)
			}
		}
	})
}

// An item with values that this version does not write, or without one that it
// always writes, is an error that names its key and the attribute.
func TestWrongValues(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		whole := completedItem("key-0")
		for name, values := range map[string][]string{
			"v":     {"0", "2", "10", "1.5", "-1"},
			"state": {"", "completed", "ABSENT", "DONE", "COMPLETED ", "COMPLETED\x00"},
			"owner": {"", "0", "0a0000000000000000000000000000012", "0A000000000000000000000000000001", "zz000000000000000000000000000001"},
			"fence": {"1.5", "9223372036854775808", "-9223372036854775809"}, "claims": {"2147483648", "0.1"}, "failures": {"-2147483649"},
			"lease_end": {"1.5", "99999999999999999999"}, "retain_end": {"1.5"}, "created": {"0.5"}, "completed": {"2.25"},
		} {
			for _, text := range values {
				item := maps.Clone(whole)
				if item[name] = (ddbtest.Value{S: &text}); whole[name].N != nil {
					item[name] = ddbtest.Value{N: &text}
				}
				r.wantUnreadable(name+" = "+text, item, name)
			}
			if name != "completed" {
				item := maps.Clone(whole)
				delete(item, name)
				r.wantUnreadable("without "+name, item, name)
			}
		}
	})
}

// An item of another program, or of another key's, is an error that names its
// key.
func TestForeignItems(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		s := func(s string) ddbtest.Value { return ddbtest.Value{S: &s} }
		later := "9000000000"
		for name, item := range map[string]ddbtest.Item{
			"nothing but a key":  {},
			"Powertools":         {"status": s("COMPLETED"), "expiration": {N: &later}, "data": s("{}")},
			"a state of its own": {"state": s("COMPLETED"), "owner": s("me"), "ttl": {N: &later}},
		} {
			item["pk"] = s("key-0")
			r.wantUnreadable(name, item, "v")
		}
	})
	// DynamoDB answers with the item that was asked for; what stands between may not.
	item := dynamodedupe.ItemOf("key-1", &dedupe.Row{State: dedupe.Completed, Completed: 1})
	if row, err := dynamodedupe.ParseRow("key-0", item); !errors.Is(err, dynamodedupe.ErrRow) || row.Exists() || !strings.Contains(err.Error(), `"key-1"`) {
		t.Errorf("the item of another key: %+v, %v, want ErrRow that names both", row, err)
	}
}
