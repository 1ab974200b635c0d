package dynamodedupe_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// Whatever item somebody else has put under a key, of another version, with
// other types or of another program, a claim of it is decided only where it is
// whole and ours; else it is an error of that key alone, which names what is
// wrong, and the item stays as it is.
func FuzzForeignItem(f *testing.F) {
	const whole = `"v":{"N":"1"},"owner":{"S":"00000000000000000000000000000001"},"fence":{"N":"5"},"claims":{"N":"1"},` +
		`"failures":{"N":"0"},"lease_end":{"N":"9000000000000"},"retain_end":{"N":"9000000000000"},"created":{"N":"1"}`
	for _, more := range []string{
		`,"state":{"S":"COMPLETED"},"completed":{"N":"2"},"result":{"B":"AQI="},"ttl":{"N":"9000000000"}`, `,"state":{"S":"PROCESSING"}`,
		`,"state":{"S":"FAILED"},"last_error":{"B":"/w=="}`, `,"state":{"S":"PARKED"},"result_lost":{"BOOL":true}`,
		`,"state":{"S":"completed"}`, `,"state":{"N":"1"}`, `,"state":{"S":"COMPLETED"},"v":{"N":"2"}`, `,"state":{"S":"COMPLETED"},"v":{"S":"1"}`,
		`,"state":{"S":"COMPLETED"},"result":{"S":"text"}`, `,"state":{"S":"COMPLETED"},"fence":{"N":"1e3"}`, `,"state":{"S":"COMPLETED"},"claims":{"NULL":true}`,
	} {
		f.Add([]byte(`{` + whole + more + `}`))
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"status":{"S":"COMPLETED"},"expiration":{"N":"9000000000"},"data":{"S":"{}"}}`)) // of Powertools
	f.Fuzz(func(t *testing.T, text []byte) {
		var item ddbtest.Item
		if json.Unmarshal(text, &item) != nil || item == nil {
			return
		}
		key := "key-0"
		item["pk"] = ddbtest.Value{S: &key}
		if !ddbtest.Storable(item) {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, ddbtest.Options{})
			s.Put(table, item)
			store := dynamodedupe.New(s.Client(), table)
			before := s.Items(table)[key]
			vs, err := store.Apply(t.Context(), claims(1, 2))
			if err != nil {
				t.Fatalf("%s: %v", text, err) // no error of the call: the other key is sound
			}
			if vs[1].Outcome != dedupe.Won {
				t.Errorf("%s: the other key: %v, %v", text, vs[1].Outcome, vs[1].Err)
			}
			v := vs[0]
			after := s.Items(table)[key]
			if v.Outcome == dedupe.Undecided {
				if !errors.Is(v.Err, dynamodedupe.ErrRow) || !reflect.DeepEqual(before, after) {
					t.Errorf("%s: %v; the item was %v and is %v", text, v.Err, before, after)
				}
				return
			}
			is := func(name, want string) bool { return item[name].S != nil && *item[name].S == want }
			if n := item["v"].N; n == nil || *n != "1" {
				t.Errorf("%s: %v of an item of another version", text, v.Outcome)
			}
			if v.Outcome == dedupe.Done && !is("state", "COMPLETED") || v.Outcome == dedupe.Busy && !is("state", "PROCESSING") ||
				v.Outcome == dedupe.Stuck && !is("state", "PARKED") {
				t.Errorf("%s: %v", text, v.Outcome)
			}
			if v.Outcome == dedupe.Won && is("state", "COMPLETED") && v.Row.LeaseEnd == 0 {
				t.Errorf("%s: %v without a lease at %v", text, v.Outcome, time.Now())
			}
		})
	})
}
