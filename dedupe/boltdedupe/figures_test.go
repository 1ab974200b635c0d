package boltdedupe_test

import (
	"encoding/json"
	"testing"
)

// counted tells what became of so many files, in the form in which proof/report
// reads it.
func counted(t *testing.T, tried int, found map[string]int) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"tried": tried, "found": found})
	if err != nil {
		t.Fatal(err)
	}
	t.Attr("figures", string(b))
}
