package httpsource_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// referenceKey reads a header as the grammar of RFC 9651 has sf-string, or as
// a bare value of visible characters without quote, backslash and comma.
func referenceKey(value string) (key string, ok bool) {
	value = strings.Trim(value, " \t")
	switch {
	case regexp.MustCompile(`^"([\x20\x21\x23-\x5b\x5d-\x7e]|\\"|\\\\)*"$`).MatchString(value):
		key = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value[1 : len(value)-1])
	case regexp.MustCompile(`^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]*$`).MatchString(value):
		key = value
	default:
		return "", false
	}
	return key, len(key) >= 1 && len(key) <= 255
}

// Whatever stands in the header, it is the key that the grammar gives, or
// answered 400 before anything runs; and two requests share a response exactly
// when that key is the same, however each of them spells it.
func FuzzKeyHeader(f *testing.F) {
	for _, pair := range [][2]string{
		{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "8e03978e-40d5-43dd-bc93-6894a57f9324"}, {`"a\"b\\c"`, `"a\"b\\c" `}, {`"a b"`, "a b"}, {"a,b", `"a,b"`},
		{`"a";q=1`, `"a`}, {`""`, ""}, {`"\a"`, `"a\"`}, {"é", "\"é\""}, {strings.Repeat("k", 255), strings.Repeat("k", 256)}, {"a\x00", "\"a\x7f\""}, {`a"b`, `a\b`},
		{"\t k \t", "k"}, {"\"k\"\n", "\x0bk"}, {`:cHJldGVuZA==:`, `?1`}, {"v1/s5:hello", `"v1/s5:hello"`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := new(orders)
		once := httpsource.Once(dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders"}), h)
		send := func(values ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", strings.NewReader(`{"order":1}`))
			r.Header[httpsource.KeyHeader] = values
			w := httptest.NewRecorder()
			once.ServeHTTP(w, r)
			return w
		}
		seen, runs := map[string]bool{}, 0
		for _, value := range []string{first, second, first} {
			key, ok := referenceKey(value)
			got, replayed := send(value), "true"
			switch {
			case !ok:
				if got.Code != http.StatusBadRequest || got.Header().Get("Content-Type") != "application/problem+json" {
					t.Fatalf("%q: status %d, want 400", value, got.Code)
				}
				continue
			case !seen[key]:
				seen[key], replayed = true, ""
				runs++
			}
			if got.Code != http.StatusCreated || got.Header().Get(httpsource.ReplayedHeader) != replayed {
				t.Fatalf("%q, after %q: status %d, replayed %q, want 201 and %q", value, first, got.Code, got.Header().Get(httpsource.ReplayedHeader), replayed)
			}
		}
		if got := send(first, second); got.Code != http.StatusBadRequest {
			t.Fatalf("%q and %q: status %d, want 400 for two headers", first, second, got.Code)
		}
		h.wantRuns(t, runs)
	})
}
