package jsonfault_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/jsonfault"
)

// Each byte, member and element of a text has its faults, and nothing else in
// the text changes.
func TestAll(t *testing.T) {
	const text = `{"a": "x\"y" , "b":[1,{"c":null}], "d":{} }`
	got := map[string]string{}
	cuts := 0
	for f := range jsonfault.All([]byte(" " + text + "\n")) {
		if strings.HasPrefix(f.What, "cut off") {
			if string(f.Body) != text[:cuts] {
				t.Errorf("%s: got %s", f.What, f.Body)
			}
			cuts++
			continue
		}
		got[f.Path+" "+f.What] = string(f.Body)
	}
	if cuts != len(text) {
		t.Errorf("got %d texts cut off, want %d", cuts, len(text))
	}
	for name, want := range map[string]string{
		" null":        `null`,
		"/a removed":   `{ "b":[1,{"c":null}], "d":{} }`,
		"/a 7":         `{"a": 7 , "b":[1,{"c":null}], "d":{} }`,
		`/a ""`:        `{"a": "" , "b":[1,{"c":null}], "d":{} }`,
		"/b removed":   `{"a": "x\"y" ,  "d":{} }`,
		"/b/0 removed": `{"a": "x\"y" , "b":[{"c":null}], "d":{} }`,
		"/b/1 removed": `{"a": "x\"y" , "b":[1], "d":{} }`,
		"/b/1/c {}":    `{"a": "x\"y" , "b":[1,{"c":{}}], "d":{} }`,
		"/d removed":   `{"a": "x\"y" , "b":[1,{"c":null}]}`,
		"/d twice":     `{"a": "x\"y" , "b":[1,{"c":null}], "d":{},"d":{} }`,
	} {
		if got[name] != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got[name], want)
		}
	}
	for _, none := range []string{`/a "text"`, "/b/1/c null", "/d {}", "/b/0 7", " removed", "/b/0 twice"} {
		if _, ok := got[none]; ok {
			t.Errorf("%s is no fault", none)
		}
	}
	for range jsonfault.All([]byte(text)) {
		break // and the sequence ends when nobody wants more
	}
	if n := len(slices.Collect(jsonfault.All([]byte(`"x"`)))); n < 8 {
		t.Errorf("got %d faults of a string", n)
	}
}
