package dedupe_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Field finds scalars wherever a pointer can lead and writes them in the
// order of the pointers.
func TestField(t *testing.T) {
	for _, c := range []struct {
		body     string
		pointers []string
		want     string // behind the consumer
	}{
		{`{"id":"x"}`, []string{"/id"}, "/s1:x"},
		{" {\n\t\"id\" : \"x\"\r\n} \n", []string{"/id"}, "/s1:x"},
		{`{"a":{"b":{"c":7}}}`, []string{"/a/b/c"}, "/n1:7"},
		{`{"b":"2","x":{"y":[1,{}]},"a":"1"}`, []string{"/a", "/b"}, "/s1:1/s1:2"},
		{`{"b":"2","a":"1"}`, []string{"/b", "/a"}, "/s1:2/s1:1"},
		{`{"a":["x","y","z"]}`, []string{"/a/2", "/a/0"}, "/s1:z/s1:x"},
		{`[[1,2],[3,{"k":4}]]`, []string{"/1/1/k"}, "/n1:4"},
		{`{"a":{"0":"member"}}`, []string{"/a/0"}, "/s6:member"},
		{`{"a":{"-":"member","01":"x"}}`, []string{"/a/-", "/a/01"}, "/s6:member/s1:x"},
		{`{"a/b":"slash","m~n":"tilde","~1":"both"}`, []string{"/a~1b", "/m~0n", "/~01"}, "/s5:slash/s5:tilde/s4:both"},
		{`{"":"empty name"}`, []string{"/"}, "/S43:"},
		{`{"\u0069d":"\u0078\/\ud83d\ude00"}`, []string{"/id"}, "/S43:"},
		{`{"id":"\u0078"}`, []string{"/id"}, "/s1:x"},
		{`{"é":1}`, []string{"/é"}, "/n1:1"},
		{`"x"`, []string{""}, "/s1:x"},
		{`12`, []string{""}, "/n2:12"},
		{`{"n":-0.0e+00}`, []string{"/n"}, "/n8:-0.0e+00"},
		{`{"n":123456789012345678901234567890}`, []string{"/n"}, "/n30:123456789012345678901234567890"},
		{`{"t":true,"f":false}`, []string{"/t", "/f"}, "/b4:true/b5:false"},
	} {
		key := string(keyOf(t, dedupe.Field(c.pointers...), &consumer.Record{Body: []byte(c.body)}))
		got := strings.TrimPrefix(key, "v1/s6:orders")
		if strings.HasSuffix(c.want, ":") && len(got) == len(c.want)+43 { // a hash
			got = got[:len(c.want)]
		}
		if got != c.want {
			t.Errorf("Field(%q) of %s = %s, want %s", c.pointers, c.body, got, c.want)
		}
	}
}

// A body from which two readers could read two things, or one that has no
// usable value, fails with an error that says which.
func TestFieldErrors(t *testing.T) {
	const id = `"/id"`
	for _, c := range []struct {
		body string
		part string
		want error
	}{
		{`{}`, id, dedupe.ErrNoKey},
		{`{"ID":"x"}`, id, dedupe.ErrNoKey},
		{`{"id":null}`, id, dedupe.ErrNoKey},
		{`{"id":""}`, id, dedupe.ErrNoKey},
		{`null`, id, dedupe.ErrNoKey},
		{`"id"`, id, dedupe.ErrNoKey},
		{`["id"]`, id, dedupe.ErrNoKey},
		{`{"id":{}}`, id, dedupe.ErrNotScalar},
		{`{"id":["x"]}`, id, dedupe.ErrNotScalar},
		{`{"id":"x","id":"y"}`, "body", dedupe.ErrDuplicateMember},
		{`{"id":"x","id":"x"}`, "body", dedupe.ErrDuplicateMember},
		{`{"id":"x","\u0069d":"y"}`, "body", dedupe.ErrDuplicateMember},
		{`{"id":"x","a":{"b":[{"c":1,"c":1}]}}`, "body", dedupe.ErrDuplicateMember},
		{"{\"id\":\"\xff\"}", "body", dedupe.ErrInvalidUTF8},
		{"{\"id\":\"x\",\"a\":\"\xed\xa0\x80\"}", "body", dedupe.ErrInvalidUTF8},
		{"{\"id\":\"x\",\"\xc3\":1}", "body", dedupe.ErrInvalidUTF8},
		{`{"id":"\ud800"}`, "body", dedupe.ErrNotJSON},
		{`{"id":"\udc00\ud800"}`, "body", dedupe.ErrNotJSON},
		{`{"id":"x","a":"\ud83dx"}`, "body", dedupe.ErrNotJSON},
		{`{"id":"x"} {"id":"y"}`, "body", dedupe.ErrNotJSON},
		{`{"id":"x"}x`, "body", dedupe.ErrNotJSON},
		{`{"id":"x"`, "body", dedupe.ErrNotJSON},
		{`{"id":"x",}`, "body", dedupe.ErrNotJSON},
		{`{"id":01}`, "body", dedupe.ErrNotJSON},
		{`{"id":NaN}`, "body", dedupe.ErrNotJSON},
		{`{"id":"x","a":tru}`, "body", dedupe.ErrNotJSON},
		{`{id:"x"}`, "body", dedupe.ErrNotJSON},
		{`{1:"x"}`, "body", dedupe.ErrNotJSON},
		{"{\"id\":\"a\tb\"}", "body", dedupe.ErrNotJSON},
		{"\ufeff{\"id\":\"x\"}", "body", dedupe.ErrNotJSON},
		{``, "body", dedupe.ErrNotJSON},
		{" \n", "body", dedupe.ErrNotJSON},
		{`order 12`, "body", dedupe.ErrNotJSON},
	} {
		t.Run(c.body, func(t *testing.T) {
			key, err := dedupe.KeyOf("orders", dedupe.Field("/id"), &consumer.Record{Body: []byte(c.body)})
			if key != "" {
				t.Errorf("key = %q beside an error", key)
			}
			wantKeyError(t, err, c.part, c.want)
		})
	}
}

// An index that is beyond the end, spelled otherwise than RFC 6901 says, or
// "-" leads to nothing.
func TestFieldNoElement(t *testing.T) {
	rec := &consumer.Record{Body: []byte(`{"a":["x","y"]}`)}
	for _, p := range []string{"/a/2", "/a/00", "/a/+1", "/a/-1", "/a/-", "/a/", "/a/1e0", "/a/18446744073709551617"} {
		_, err := dedupe.KeyOf("orders", dedupe.Field(p), rec)
		wantKeyError(t, err, fmt.Sprintf("%q", p), dedupe.ErrNoKey)
	}
}

// Of two bodies that other implementations take for the same work, or drop
// without a key, ours says that they differ or that one has no key.
func TestFieldPairs(t *testing.T) {
	value := func(v string) string { return `{"order_id":` + v + `}` }
	for _, c := range []struct{ name, a, b string }{
		{"1 and 1.0", value(`1`), value(`1.0`)},
		{"1 and \"1\"", value(`1`), value(`"1"`)},
		{"1e2 and 100", value(`1e2`), value(`100`)},
		{"0 and -0", value(`0`), value(`-0`)},
		{"2^53 and 2^53+1", value(`9007199254740992`), value(`9007199254740993`)},
		{"20 digits", value(`12345678901234567890`), value(`12345678901234567891`)},
		{"digits behind the point", value(`0.10000000000000001`), value(`0.1`)},
		{"true and \"true\"", value(`true`), value(`"true"`)},
		{"true and 1", value(`true`), value(`1`)},
		{"duplicate member and its first", `{"order_id":"x","order_id":"y"}`, value(`"x"`)},
		{"duplicate member and its last", `{"order_id":"x","order_id":"y"}`, value(`"y"`)},
		{"members in another order", value(`{"a":1,"b":2}`), value(`{"b":2,"a":1}`)},
		{"members that differ in case", value(`{"a":1,"A":2}`), value(`{"A":2,"a":1}`)},
		{"empty twice", value(`""`), value(`""`)},
		{"null twice", value(`null`), value(`null`)},
		{"missing and null", `{}`, value(`null`)},
		{"null and \"<nil>\"", value(`null`), value(`"<nil>"`)},
		{"name in another case", value(`"x"`), `{"ORDER_ID":"x"}`},
		{"space around it", value(`"x"`), value(`"x "`)},
		{"composed and decomposed", value(`"\u00e9"`), value(`"e\u0301"`)},
	} {
		fn := dedupe.Field("/order_id")
		a, errA := dedupe.KeyOf("orders", fn, &consumer.Record{Body: []byte(c.a)})
		b, errB := dedupe.KeyOf("orders", fn, &consumer.Record{Body: []byte(c.b)})
		if errA == nil && errB == nil && a == b {
			t.Errorf("%s: %s and %s share the key %s", c.name, c.a, c.b, a)
		}
	}
}

// Big and deeply nested bodies are read in time that grows with their size.
func TestFieldBigBodies(t *testing.T) {
	const size = 1 << 20
	deep := strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)
	var members bytes.Buffer
	for i := 0; members.Len() < size; i++ {
		fmt.Fprintf(&members, `"m%d":%d,`, i, i)
	}
	for name, body := range map[string]string{
		"long string":  `{"a":"` + strings.Repeat("x", size) + `","id":"z"}`,
		"long escapes": `{"a":"` + strings.Repeat(`\u00e9`, size/6) + `","id":"z"}`,
		"many members": `{` + members.String() + `"id":"z"}`,
		"many objects": `{"a":[` + strings.Repeat(`{"k":1},`, size/8) + `{}],"id":"z"}`,
		"deep":         `{"a":` + deep + `,"id":"z"}`,
		"white space":  `{"a":` + strings.Repeat(" ", size) + `1,"id":"z"}`,
	} {
		if got := keyOf(t, dedupe.Field("/id"), &consumer.Record{Body: []byte(body)}); got != "v1/s6:orders/s1:z" {
			t.Errorf("%s: key = %s", name, got)
		}
	}
	tooDeep := `{"id":"z","a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`
	_, err := dedupe.KeyOf("orders", dedupe.Field("/id"), &consumer.Record{Body: []byte(tooDeep)})
	wantKeyError(t, err, "body", dedupe.ErrNotJSON)
}
