package dedupe_test

import (
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// An owner is read from what String writes and from nothing else: a store
// compares owners as it finds them, and would find none that is spelled in
// another way.
func FuzzParseOwner(f *testing.F) {
	whole := dedupe.Owner{0, 1, 0xab, 15: 0xff}.String()
	for _, text := range []string{whole, strings.ToUpper(whole), whole[:31], whole + "0", "", "g" + whole[1:], "é" + whole[2:], "0x" + whole[2:]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := dedupe.ParseOwner(text)
		if plain := len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""; plain != (err == nil) {
			t.Fatalf("ParseOwner(%q) = %v, %v", text, o, err)
		}
		if err == nil && o.String() != text || err != nil && (o != dedupe.Owner{} || !strings.HasPrefix(err.Error(), "dedupe: owner ")) {
			t.Fatalf("ParseOwner(%q) = %v, %v", text, o, err)
		}
	})
}
