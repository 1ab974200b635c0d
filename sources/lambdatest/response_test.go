package lambdatest_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// Ensure that each row of AWS's table on partial batch responses has AWS's
// outcome.
func TestBatchItemFailures(t *testing.T) {
	batch := []string{"a", "b", "c"}
	for _, tc := range []struct {
		name, response string
		failed         []string
		whole          bool // the whole batch fails
	}{
		{name: "empty list", response: `{"batchItemFailures":[]}`},
		{name: "null list", response: `{"batchItemFailures":null}`},
		{name: "empty object", response: `{}`},
		{name: "null", response: `null`},
		{name: "white space around null", response: " null\n"},

		{name: "one id", response: `{"batchItemFailures":[{"itemIdentifier":"b"}]}`, failed: []string{"b"}},
		{name: "several ids", response: `{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}`, failed: []string{"c", "a"}},
		{name: "repeated id", response: `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"a"}]}`, failed: []string{"a"}},
		{name: "unknown members beside", response: `{"n":1,"batchItemFailures":[{"itemIdentifier":"a","why":"x"}]}`, failed: []string{"a"}},

		{name: "empty body", response: ``, whole: true},
		{name: "no JSON", response: `ok`, whole: true},
		{name: "cut off", response: `{"batchItemFailures":[`, whole: true},
		{name: "two values", response: `{}{}`, whole: true},
		{name: "invalid UTF-8", response: "{\"batchItemFailures\":[],\"x\":\"\xff\"}", whole: true},
		{name: "empty id", response: `{"batchItemFailures":[{"itemIdentifier":""}]}`, whole: true},
		{name: "null id", response: `{"batchItemFailures":[{"itemIdentifier":null}]}`, whole: true},
		{name: "numeric id", response: `{"batchItemFailures":[{"itemIdentifier":1}]}`, whole: true},
		{name: "wrong key", response: `{"batchItemFailures":[{"foo":"a"}]}`, whole: true},
		{name: "wrong case of key", response: `{"batchItemFailures":[{"ItemIdentifier":"a"}]}`, whole: true},
		{name: "unknown id", response: `{"batchItemFailures":[{"itemIdentifier":"z"}]}`, whole: true},
		{name: "unknown id after a known one", response: `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}`, whole: true},
		{name: "null item", response: `{"batchItemFailures":[null]}`, whole: true},
		{name: "bare ids", response: `{"batchItemFailures":["a"]}`, whole: true},
		{name: "no list", response: `{"batchItemFailures":{"itemIdentifier":"a"}}`, whole: true},
		{name: "misspelt list", response: `{"BatchItemFailures":[]}`, whole: true},
		{name: "bare list", response: `[]`, whole: true},
		{name: "string", response: `"ok"`, whole: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			failed, err := lambdatest.BatchItemFailures([]byte(tc.response), batch)
			if errors.Is(err, lambdatest.ErrMalformedResponse) != tc.whole || !slices.Equal(failed, tc.failed) {
				t.Errorf("BatchItemFailures(%s) = %q, %v; want %q, whole batch failed %t", tc.response, failed, err, tc.failed, tc.whole)
			}
		})
	}
}

// Ensure that no response makes the interpreter panic, and that it accepts
// nothing but the four kinds of success and a list of ids of the batch.
func FuzzBatchItemFailures(f *testing.F) {
	for _, seed := range []string{
		`null`, `{}`, `{"batchItemFailures":null}`, `{"batchItemFailures":[]}`,
		`{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`, `{"batchItemFailures":[{"itemIdentifier":null}]}`,
		`{"batchItemFailures":[{"ItemIdentifier":"a"}]}`, `{"batchItemFailures":[null,1,[]]}`, `[]`, `"a"`, `1`, ``,
		`{"batchItemFailures":[],"batchItemFailures":[{"itemIdentifier":"z"}]}`, "\"\xff\"",
	} {
		f.Add([]byte(seed))
	}
	batch := []string{"a", "b", "c"}
	f.Fuzz(func(t *testing.T, response []byte) {
		failed, err := lambdatest.BatchItemFailures(response, batch)
		want, ok := interpret(response, batch)
		if (err == nil) != ok || !slices.Equal(failed, want) {
			t.Errorf("BatchItemFailures(%q) = %q, %v; want %q, accepted %t", response, failed, err, want, ok)
		}
		if err != nil && (!errors.Is(err, lambdatest.ErrMalformedResponse) || failed != nil) {
			t.Errorf("BatchItemFailures(%q) = %q, %v; want ErrMalformedResponse alone", response, failed, err)
		}
	})
}

// interpret says the same as AWS's table in another way: on the decoded value.
func interpret(response []byte, batch []string) (failed []string, ok bool) {
	var v any
	if !utf8.Valid(response) || json.Unmarshal(response, &v) != nil {
		return nil, false
	}
	for _, success := range []any{nil, map[string]any{}} {
		if reflect.DeepEqual(v, success) {
			return nil, true
		}
	}
	object, _ := v.(map[string]any)
	list, present := object["batchItemFailures"]
	if !present {
		return nil, false
	}
	if list == nil {
		return nil, true
	}
	items, ok := list.([]any)
	if !ok {
		return nil, false
	}
	for _, item := range items {
		object, _ := item.(map[string]any)
		id, _ := object["itemIdentifier"].(string)
		if !slices.Contains(batch, id) {
			return nil, false
		}
		if !slices.Contains(failed, id) {
			failed = append(failed, id)
		}
	}
	return failed, true
}
