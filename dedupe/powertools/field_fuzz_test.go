package powertools_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
)

// reference finds the value at a pointer with encoding/json, nil for none and
// for null.
func reference(body []byte, pointer string) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, io.ErrNoProgress
	}
	if pointer == "" {
		return v, nil
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || strconv.Itoa(i) != step || i < 0 || i >= len(at) {
				return nil, nil
			}
			v = at[i]
		default:
			return nil, nil
		}
	}
	return v, nil
}

// Field gives what encoding/json finds at its pointer, with every digit, null
// for nothing; and it takes a body exactly where the Field of dedupe does.
func FuzzField(f *testing.F) {
	for _, body := range []string{
		`{"id":"x","a":{"b":[1,2,{"c":null}]}}`, `{"id":12345678901234567890,"a":{"b":1e400}}`, `{"\u0069d":"\ud83d\ude00"}`, `{"id":"x","id":"y"}`, `[{"id":1}]`, `"id"`, ``,
		`{"id":1}{`, "{\"id\":\"\xff\"}", `{"a":{"b":[]},"id":{"x":{"x":1}}}`, `{"id":"\ud800"}`, `{"a":[[],{"":1}]}`, ` null `, `{"a~":{"/":1}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, pointer := range []string{"", "/id", "/a/b/1", "/a~0/~1", "/a/1/"} {
			rec := &consumer.Record{Body: bytes.Clone(body)}
			got, err := powertools.Field(pointer)(rec)
			if !bytes.Equal(rec.Body, body) {
				t.Fatalf("the body changed: %q, was %q", rec.Body, body)
			}
			_, strict := dedupe.KeyOf("orders", dedupe.Field(pointer), rec)
			other, _ := errors.AsType[*dedupe.KeyError](strict)
			if badBody := other != nil && other.Part == "body"; badBody != (err != nil) {
				t.Fatalf("Field(%q) of %q: %v, that of dedupe: %v", pointer, body, err, strict)
			}
			if err != nil {
				if ke, ok := errors.AsType[*dedupe.KeyError](err); !ok || ke.Part != strconv.Quote(pointer) || !sameCause(err, strict) {
					t.Fatalf("Field(%q) of %q: %v, that of dedupe: %v", pointer, body, err, strict)
				}
				continue
			}
			want, refErr := reference(body, pointer)
			is, isErr := reference(got, "")
			if refErr != nil || isErr != nil || !reflect.DeepEqual(is, want) {
				t.Fatalf("Field(%q) of %q = %s (%v), encoding/json finds %v (%v)", pointer, body, got, isErr, want, refErr)
			}
		}
	})
}

// sameCause reports whether both errors say the same of a body.
func sameCause(a, b error) bool {
	for _, cause := range []error{dedupe.ErrNotJSON, dedupe.ErrDuplicateMember, dedupe.ErrInvalidUTF8} {
		if errors.Is(a, cause) != errors.Is(b, cause) {
			return false
		}
	}
	return true
}
