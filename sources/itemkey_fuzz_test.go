package sources_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources"
)

// Two changes of a stream are in one group, and so in order, exactly when
// encoding/json sees the same key in both, however its members are ordered and
// spelled.
func FuzzItemKey(f *testing.F) {
	whole := sampleOf(f, "dynamodbstream_insert")
	for _, pair := range [][2]string{
		{`{"a":{"S":"x"},"b":{"N":"1"}}`, `{ "b" : {"N":"1"}, "a":{"S":"\u0078"} }`}, {`{"a":{"N":"1"}}`, `{"a":{"S":"1"}}`}, {`{"a":{"B":"AQI="}}`, `{"a":{"B":"AQI"}}`},
		{`{"a":{"S":"x","N":"1"}}`, `{"a":{"S":""}}`}, {`{}`, `null`}, {`{"a":{"S":"\ud83d\ude00"}}`, `{"a":{"S":"😀"}}`}, {`{"a":{"S":"x","more":[1,1.0]}}`, `{"a":{"S":"x","more":[1.0,1]}}`},
		{`{"a":{"S":"1e2"},"c":{"N":"-0"}}`, `{"a":{"S":"100"},"c":{"N":"0"}}`},
	} {
		f.Add(pair[0], pair[1])
	}
	var outer map[string]any
	if err := json.Unmarshal([]byte(whole), &outer); err != nil {
		f.Fatal(err)
	}
	const mark = "the key"
	outer["dynamodb"].(map[string]any)["Keys"] = mark
	text, _ := json.Marshal(outer)
	f.Fuzz(func(t *testing.T, a, b string) {
		var groups []string
		var keys []any
		for _, key := range []string{a, b} {
			rec := delivery([]byte(strings.Replace(string(text), `"`+mark+`"`, key, 1)))
			if sources.DynamoDBStream(rec) != nil {
				return
			}
			var decoded any
			if err := json.Unmarshal(raw(rec.Body, "dynamodb", "Keys"), &decoded); err != nil {
				t.Fatalf("%q has a group, encoding/json says %v", key, err)
			}
			groups, keys = append(groups, rec.Group), append(keys, decoded)
		}
		if (groups[0] == groups[1]) != reflect.DeepEqual(keys[0], keys[1]) {
			t.Fatalf("%q and %q: groups %q", a, b, groups)
		}
	})
}
