package dynamostate_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamostate"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// Whatever somebody else has written into an item, a transition changes the
// state where it is the text of one that it leaves, or absent where it leaves
// that, is told to have been made where it is the text of a later one, and
// else leaves the item as it is, with an error: a state of another type is
// none.
func FuzzItemState(f *testing.F) {
	for _, state := range []string{
		`{"S":"PENDING"}`, `{"S":"PROCESSING"}`, `{"S":"COMPLETED"}`, `{"S":"pending"}`, `{"S":""}`, `{"B":"UEVORElORw=="}`, `{"SS":["PENDING"]}`, `{"L":[{"S":"PENDING"}]}`,
		`{"NULL":true}`, `{"N":"1"}`, `{"M":{"S":{"S":"PENDING"}}}`, `{"BOOL":false}`, `{"B":"UFJPQ0VTU0lORw=="}`, `{"SS":["COMPLETED"]}`,
	} {
		f.Add([]byte(`{"state":`+state+`,"total":{"N":"1"}}`), true)
		f.Add([]byte(`{"state":`+state+`}`), false)
	}
	f.Add([]byte(`{}`), true)
	f.Add([]byte(`{"State":{"S":"PENDING"}}`), false)
	f.Fuzz(func(t *testing.T, attributes []byte, absent bool) {
		var item ddbtest.Item
		if json.Unmarshal(attributes, &item) != nil || item == nil {
			return
		}
		key := "o1"
		if item["pk"] = (ddbtest.Value{S: &key}); !ddbtest.Storable(item) {
			return
		}
		inBed(t, func(b *bed, server *ddbtest.Server) {
			server.Put(b.orders, item)
			before := server.Items(b.orders)[key]
			change := dynamostate.Change{From: []string{"PENDING"}, To: "PROCESSING", Past: []string{"COMPLETED"}}
			if absent {
				change.From = append(change.From, dynamostate.Absent)
			}
			result, err := dynamostate.Transition(b.Context(), b.client, b.item(key), change)
			after := server.Items(b.orders)[key]
			value, there := item["state"]
			state := ""
			if value.S != nil {
				state = *value.S
			}
			switch {
			case state == "PENDING" || !there && absent:
				if is := after["state"].S; err != nil || result.Outcome != dynamostate.Changed || is == nil || *is != "PROCESSING" {
					t.Errorf("%s: %+v, %v, the item is %v, want it changed", attributes, result, err, after)
				}
				return
			case state == "PROCESSING" || state == "COMPLETED":
				if err != nil || result.Outcome != dynamostate.Already || result.State != state {
					t.Errorf("%s: %+v, %v, want that it was made before", attributes, result, err)
				}
			default:
				e, ok := errors.AsType[*dynamostate.StateError](err)
				if !ok || !errors.Is(err, dynamostate.ErrState) || e.State != state || result.Outcome != 0 || len(e.Item) == 0 {
					t.Errorf("%s: %+v, %v, want a StateError of state %q", attributes, result, err, state)
				}
			}
			if !reflect.DeepEqual(before, after) {
				t.Errorf("%s: the item was %v and is %v", attributes, before, after)
			}
		})
	})
}
