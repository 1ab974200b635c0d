package dedupe_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// referenceField finds a pointer's value with encoding/json: the slow and
// well-known way. ok is false when there is no usable scalar.
func referenceField(body []byte, pointer string) (part keyPart, ok bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return part, false, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return part, false, io.ErrNoProgress
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || strconv.Itoa(i) != step || i < 0 || i >= len(at) {
				return part, false, nil
			}
			v = at[i]
		default:
			return part, false, nil
		}
	}
	switch v := v.(type) {
	case string:
		return keyPart{'s', v}, v != "", nil
	case json.Number:
		return keyPart{'n', v.String()}, true, nil
	case bool:
		return keyPart{'b', strconv.FormatBool(v)}, true, nil
	}
	return part, false, nil
}

// Field agrees with encoding/json on every value that it returns, and fails
// wherever encoding/json fails. Field alone may fail: it is stricter.
func FuzzField(f *testing.F) {
	for _, body := range []string{
		`{"id":"x","a":{"b":[1,2,{"c":null}]}}`, `{"id":12345678901234567890,"n":1e400}`, `{"id":"\ud83d\ude00\u0041\/"}`,
		`{"id":"x","id":"y"}`, `{"a":["q",true],"id":""}`, `{"id":{}}`, `[{"id":1}]`, `"id"`, ``, `{"id":1}{`, "{\"id\":\"\xff\"}",
		`{"id":-0.0E+0}`, `{"\u0069d":false}`, `{"a":[],"id":[1]}`, ` {"id" : "x" } `, `{"id":"\ud800"}`, `{"a":{"b":[0,"z"]}}`,
	} {
		f.Add([]byte(body))
	}
	pointers := []string{"/id", "/a/b/1", "/a/b/c", "/a/0"}
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := &consumer.Record{Body: bytes.Clone(body)}
		for _, p := range pointers {
			key, err := dedupe.KeyOf("orders", dedupe.Field(p), rec)
			if !bytes.Equal(rec.Body, body) {
				t.Fatalf("the body changed: %q, was %q", rec.Body, body)
			}
			part, ok, refErr := referenceField(body, p)
			if err != nil {
				continue
			}
			if refErr != nil || !ok {
				t.Fatalf("Field(%q) of %q = %s, encoding/json finds nothing (%v)", p, body, key, refErr)
			}
			if want := keyOf(t, writeParts([]keyPart{part}), rec); key != want {
				t.Fatalf("Field(%q) of %q = %s, encoding/json says %s", p, body, key, want)
			}
		}
	})
}

// Several pointers found in one pass are what each finds alone, in order.
func FuzzFieldMany(f *testing.F) {
	f.Add([]byte(`{"b":"2","a":{"x":[1,"y"]},"c":true}`))
	f.Add([]byte(`{"a":{"x":["\u0031","\u0032"]},"c":"\u0033","b":"\u0034"}`))
	pointers := []string{"/a/x/1", "/a/x/0", "/b", "/c"}
	var each []dedupe.KeyFunc
	for _, p := range pointers {
		each = append(each, dedupe.Field(p))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := &consumer.Record{Body: body}
		together, err := dedupe.KeyOf("orders", dedupe.Field(pointers...), rec)
		joined, joinedErr := dedupe.KeyOf("orders", dedupe.Join(each...), rec)
		if together != joined || (err == nil) != (joinedErr == nil) {
			t.Fatalf("together %s, %v; one by one %s, %v", together, err, joined, joinedErr)
		}
	})
}

// Any two parts give a key from which they can be read back.
func FuzzKeyInjective(f *testing.F) {
	f.Add("a", "bc", true)
	f.Add("1", "/n1:1", false)
	f.Add(strings.Repeat("x", 129), "\x00", true)
	f.Fuzz(func(t *testing.T, a, b string, number bool) {
		if a == "" || b == "" {
			return
		}
		parts := []keyPart{{'s', a}, {'s', b}}
		if number {
			parts[1].kind = 'n'
		}
		checkParts(t, parts)
	})
}
