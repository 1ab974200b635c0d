package dedupe_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// keyPart is one call of a KeyWriter: its type as keys write it, and its text.
type keyPart struct {
	kind byte
	text string
}

func (p keyPart) write(w *dedupe.KeyWriter) {
	switch p.kind {
	case 's':
		w.String(p.text)
	case 'n':
		w.Number(p.text)
	case 'b':
		w.Bool(p.text == "true")
	}
}

func writeParts(parts []keyPart) dedupe.KeyFunc {
	return func(w *dedupe.KeyWriter, _ *consumer.Record) error {
		for _, p := range parts {
			p.write(w)
		}
		return nil
	}
}

func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// parseKey reads a key back into its parts, by nothing but its grammar.
func parseKey(key dedupe.Key) ([]keyPart, error) {
	rest, ok := strings.CutPrefix(string(key), "v1")
	if !ok {
		return nil, fmt.Errorf("no version in %q", key)
	}
	var parts []keyPart
	for rest != "" {
		if len(rest) < 2 || rest[0] != '/' {
			return nil, fmt.Errorf("no part at %q", rest)
		}
		digits, text, ok := strings.Cut(rest[2:], ":")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n > len(text) || strconv.Itoa(n) != digits {
			return nil, fmt.Errorf("no length at %q", rest)
		}
		parts = append(parts, keyPart{rest[1], text[:n]})
		rest = text[n:]
	}
	return parts, nil
}

// checkParts makes the key of parts and proves that it stands for no other
// list: read back, it gives the parts again, or the SHA-256 of a text under
// the capital of its type.
func checkParts(t testing.TB, parts []keyPart) {
	t.Helper()
	key := keyOf(t, writeParts(parts), &consumer.Record{})
	if len(key) > 1024 {
		t.Errorf("key of %d bytes: %s", len(key), key)
	}
	for _, c := range []byte(key) {
		if c < 0x21 || c > 0x7e {
			t.Fatalf("byte %#x in key %q", c, key)
		}
	}
	got, err := parseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if got[0] != (keyPart{'s', "orders"}) {
		t.Fatalf("key %s starts with %v, want the consumer", key, got[0])
	}
	got = got[1:]
	if len(got) == 1 && got[0].kind == 'P' {
		if want := hashText(expectedParts(parts)); got[0].text != want {
			t.Fatalf("folded key %s, want the hash %s", key, want)
		}
		return
	}
	if len(got) != len(parts) {
		t.Fatalf("key %s has %d parts, want %d", key, len(got), len(parts))
	}
	for i, p := range parts {
		switch {
		case got[i] == p:
		case got[i].kind == p.kind-'a'+'A' && got[i].text == hashText(p.text):
		default:
			t.Errorf("part %d of %s is %v, want %v or its hash", i, key, got[i], p)
		}
	}
}

// expectedParts writes parts as the key's grammar says, in the plainest way.
func expectedParts(parts []keyPart) string {
	var b strings.Builder
	for _, p := range parts {
		text, kind := p.text, p.kind
		if len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			text, kind = hashText(text), kind-'a'+'A'
		}
		fmt.Fprintf(&b, "/%c%d:%s", kind, len(text), text)
	}
	return b.String()
}

// No two of many lists that were made to look alike share a key.
func TestKeyCollisions(t *testing.T) {
	s := func(texts ...string) (parts []keyPart) {
		for _, x := range texts {
			parts = append(parts, keyPart{'s', x})
		}
		return parts
	}
	long := strings.Repeat("x", 129)
	lists := [][]keyPart{
		s("a", "bc"), s("ab", "c"), s("abc"), s("a", "b", "c"), s("bc", "a"),
		s("a/s2:bc"), s("1:a/s2:bc"), s("/s1:a/s2:bc"), s("a", "/s2:bc"), s("s1:a"),
		s("1"), {{'n', "1"}}, {{'n', "1.0"}}, {{'n', "1e0"}}, {{'n', "01"}},
		s("true"), {{'b', "true"}}, {{'b', "false"}}, s("false"),
		s(long), s(hashText(long)), s("/S43:" + hashText(long)), s("S43:" + hashText(long)), s(long + "x"),
		s("two words"), s(hashText("two words")), s("two  words"), s(long[:128]),
		{{'n', long}}, {{'n', hashText(long)}}, s("\x00"), s("\x00", "\x00"), s("\x00\x00"),
	}
	many := s(strings.Split(strings.Repeat(long[:100]+" ", 30), " ")[:30]...)
	folded := hashText(expectedParts(many))
	lists = append(lists, many, many[:29], s(folded), s("/P43:"+folded), s(expectedParts(many)))
	seen := make(map[dedupe.Key]int)
	for i, parts := range lists {
		checkParts(t, parts)
		key := keyOf(t, writeParts(parts), &consumer.Record{})
		if j, dup := seen[key]; dup {
			t.Errorf("%v and %v share the key %s", lists[j], parts, key)
		}
		seen[key] = i
	}
}

// Random lists of parts, cut from an alphabet of a key's own syntax, can be
// read back from their keys, and so share them with no other list.
func TestKeyInjective(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"/", "s", "S", "n", "b", "P", "B", ":", "1", "2", "43:", "a", "/s1:", "/S43:", "v1", "é", " ", "\x00", strings.Repeat("y", 60)}
	seen := make(map[dedupe.Key]string)
	for range 20_000 {
		parts := make([]keyPart, 1+rng.IntN(4))
		for i := range parts {
			parts[i].kind = "sn"[rng.IntN(2)]
			for range 1 + rng.IntN(4) {
				parts[i].text += alphabet[rng.IntN(len(alphabet))]
			}
		}
		checkParts(t, parts)
		key, text := keyOf(t, writeParts(parts), &consumer.Record{}), fmt.Sprintf("%q", parts)
		if other, dup := seen[key]; dup && other != text {
			t.Fatalf("%s and %s share the key %s", other, text, key)
		}
		seen[key] = text
	}
}

// One KeyWriter after another record, a bad one too, starts afresh.
func TestKeyWriterReuse(t *testing.T) {
	k := dedupe.NewKeyer("orders", dedupe.Field("/a", "/b"))
	var w dedupe.KeyWriter
	for range 2 {
		for _, body := range []string{`{"a":"\u0031","b":2}`, `{"a":"","b":2}`, `{"a":1`, `{"a":"x"}`, `[1]`} {
			rec := &consumer.Record{Body: []byte(body)}
			want, wantErr := dedupe.KeyOf("orders", dedupe.Field("/a", "/b"), rec)
			got, err := k.Key(&w, rec)
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("key of %s = %q, %v; with a fresh KeyWriter %q, %v", body, got, err, want, wantErr)
			}
		}
	}
}

// The only memory that a key costs is the key itself, once a KeyWriter has
// seen a record of that size.
func TestKeyAllocations(t *testing.T) {
	rec := &consumer.Record{ID: "7e3f8a52-6c0b-4d1e-9a2f-0b1c2d3e4f50", Body: []byte(`{"x":[{"y":1}],"a":"one","b":2}`)}
	for name, fn := range map[string]dedupe.KeyFunc{"ID": dedupe.ID, "Field": dedupe.Field("/a", "/b"), "BodyHash": dedupe.BodyHash} {
		k := dedupe.NewKeyer("orders", fn)
		var w dedupe.KeyWriter
		if got := testing.AllocsPerRun(100, func() { _, _ = k.Key(&w, rec) }); got > 1 {
			t.Errorf("%s: %v allocations for a key, want 1", name, got)
		}
	}
}
