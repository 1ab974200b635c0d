package dedupe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// keyOf returns the key of rec and fails the test when there is none.
func keyOf(t testing.TB, fn dedupe.KeyFunc, rec *consumer.Record) dedupe.Key {
	t.Helper()
	key, err := dedupe.KeyOf("orders", fn, rec)
	if err != nil {
		t.Fatalf("KeyOf(%+v) = %v", rec, err)
	}
	return key
}

// wantKeyError checks that err is a KeyError for part with cause in it.
func wantKeyError(t testing.TB, err error, part string, cause error) {
	t.Helper()
	ke, ok := errors.AsType[*dedupe.KeyError](err)
	if !ok {
		t.Fatalf("error = %v (%T), want a KeyError", err, err)
	}
	if ke.Part != part || !errors.Is(err, cause) {
		t.Errorf("error = %v of part %q, want %v of part %q", err, ke.Part, cause, part)
	}
	if text := err.Error(); !strings.Contains(text, part) || !strings.Contains(text, cause.Error()) {
		t.Errorf("text = %q, want the part %q and the cause %q in it", text, part, cause)
	}
}

// A key is written in one fixed way: what stores hold stays valid for every
// later release.
func TestKeyText(t *testing.T) {
	rec := &consumer.Record{
		ID:         "7e3f8a52-6c0b-4d1e-9a2f-0b1c2d3e4f50",
		Attributes: map[string]string{"tenant": "acme"},
		Body:       []byte(`{"id":"a/b","n":12345678901234567890,"f":1.50,"ok":true,"name":"Zoë","s":"two words"}`),
	}
	for _, c := range []struct {
		name string
		fn   dedupe.KeyFunc
		want dedupe.Key
	}{
		{"id", dedupe.ID, "v1/s6:orders/s36:7e3f8a52-6c0b-4d1e-9a2f-0b1c2d3e4f50"},
		{"attribute", dedupe.Attribute("tenant"), "v1/s6:orders/s4:acme"},
		{"string", dedupe.Field("/id"), "v1/s6:orders/s3:a/b"},
		{"integer", dedupe.Field("/n"), "v1/s6:orders/n20:12345678901234567890"},
		{"fraction", dedupe.Field("/f"), "v1/s6:orders/n4:1.50"},
		{"boolean", dedupe.Field("/ok"), "v1/s6:orders/b4:true"},
		{"not ASCII", dedupe.Field("/name"), "v1/s6:orders/S43:xqEmmFgvwRBOokEHotcmgUX_Bu-FlwdynQH9BgiX8Gc"},
		{"space", dedupe.Field("/s"), "v1/s6:orders/S43:oD8dYRZF61OtFsGvVGygeS3IhFBbq1ft6A9NrWuRHTo"},
		{"two pointers", dedupe.Field("/ok", "/id"), "v1/s6:orders/b4:true/s3:a/b"},
		{"join", dedupe.Join(dedupe.Attribute("tenant"), dedupe.Field("/id")), "v1/s6:orders/s4:acme/s3:a/b"},
		{"body", dedupe.BodyHash, "v1/s6:orders/B43:N3UA0DDZ692hRCp4XLs35IHoq0cRIDShZAs1H46DhYw"},
	} {
		if got := keyOf(t, c.fn, rec); got != c.want {
			t.Errorf("%s: key = %s, want %s", c.name, got, c.want)
		}
	}
}

// A record without an identity fails with ErrNoKey and names what is missing.
func TestNoKey(t *testing.T) {
	full := &consumer.Record{ID: "1", Attributes: map[string]string{"empty": ""}, Body: []byte(`{"a":"x"}`)}
	nothing := func(*dedupe.KeyWriter, *consumer.Record) error { return nil }
	emptyPart := func(w *dedupe.KeyWriter, _ *consumer.Record) error {
		w.String("a")
		w.String("")
		w.Number("")
		return nil
	}
	for _, c := range []struct {
		name string
		fn   dedupe.KeyFunc
		rec  *consumer.Record
		part string
	}{
		{"no id", dedupe.ID, &consumer.Record{MessageID: "m"}, "id"},
		{"no attributes", dedupe.Attribute("tenant"), &consumer.Record{}, `attribute "tenant"`},
		{"empty attribute", dedupe.Attribute("empty"), full, `attribute "empty"`},
		{"empty body", dedupe.BodyHash, &consumer.Record{}, "body"},
		{"nothing written", nothing, full, "key"},
		{"empty part", emptyPart, full, "part 2"},
		{"second of a join", dedupe.Join(dedupe.ID, dedupe.Field("/b")), full, `"/b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := dedupe.KeyOf("orders", c.fn, c.rec)
			if key != "" {
				t.Errorf("key = %q beside an error", key)
			}
			wantKeyError(t, err, c.part, dedupe.ErrNoKey)
		})
	}
}

// The error of a KeyFunc of one's own is a KeyError too, with that error in
// it; a KeyError stays as it is.
func TestKeyFuncError(t *testing.T) {
	cause := errors.New("no such tenant")
	_, err := dedupe.KeyOf("orders", func(*dedupe.KeyWriter, *consumer.Record) error { return cause }, &consumer.Record{})
	wantKeyError(t, err, "key", cause)

	own := fmt.Errorf("wrapped: %w", &dedupe.KeyError{Part: "tenant", Err: cause})
	_, err = dedupe.KeyOf("orders", func(*dedupe.KeyWriter, *consumer.Record) error { return own }, &consumer.Record{})
	if err != own {
		t.Errorf("error = %v, want it unchanged: %v", err, own)
	}
}

// A key is fixed when it is made: what a handler does to its record later
// does not reach it.
func TestKeyOutlivesRecord(t *testing.T) {
	rec := &consumer.Record{ID: "a1", Body: []byte(`{"id":"first"}`)}
	byID, byField := keyOf(t, dedupe.ID, rec), keyOf(t, dedupe.Field("/id"), rec)
	rec.ID = "b2"
	copy(rec.Body, `{"id":"other"}`)
	if byID != "v1/s6:orders/s2:a1" || byField != "v1/s6:orders/s5:first" {
		t.Errorf("keys = %s, %s after the record changed", byID, byField)
	}
}

// Consumers of different names have different keys for the same record.
func TestKeyConsumer(t *testing.T) {
	seen := map[dedupe.Key]string{}
	for _, name := range []string{"orders", "order", "Orders", "orders/s1:x", "Bestellungen für alle", strings.Repeat("o", 200)} {
		key, err := dedupe.KeyOf(name, dedupe.ID, &consumer.Record{ID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if other, dup := seen[key]; dup {
			t.Errorf("consumers %q and %q share the key %s", name, other, key)
		}
		seen[key] = name
	}
}

// Bodies with equal bytes have equal fingerprints, others do not.
func TestBodyFingerprint(t *testing.T) {
	fp := func(body string) string {
		s, err := dedupe.BodyFingerprint(&consumer.Record{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if a, b := fp(`{"a":1}`), fp(`{"a":1}`); a != b || len(a) != 43 {
		t.Errorf("fingerprints of one body = %q, %q", a, b)
	}
	if a, b := fp(`{"a":1}`), fp(`{"a": 1}`); a == b {
		t.Errorf("two bodies share the fingerprint %q", a)
	}
}

// Mistakes of wiring panic when the key function is made, not when a record
// comes.
func TestKeyFuncPanics(t *testing.T) {
	for name, wire := range map[string]func(){
		"Attribute without a name": func() { dedupe.Attribute("") },
		"Join of nothing":          func() { dedupe.Join() },
		"Join of nil":              func() { dedupe.Join(dedupe.ID, nil) },
		"no consumer":              func() { _, _ = dedupe.KeyOf("", dedupe.ID, &consumer.Record{ID: "1"}) },
		"no KeyFunc":               func() { _, _ = dedupe.KeyOf("orders", nil, &consumer.Record{ID: "1"}) },
		"Field without a pointer":  func() { dedupe.Field() },
		"no slash":                 func() { dedupe.Field("order_id") },
		"bad escape":               func() { dedupe.Field("/a~2b") },
		"escape at the end":        func() { dedupe.Field("/a~") },
		"not UTF-8":                func() { dedupe.Field("/\xff") },
		"duplicate":                func() { dedupe.Field("/a", "/b", "/a") },
		"below another":            func() { dedupe.Field("/a", "/a/b") },
		"above another":            func() { dedupe.Field("/a/b", "/a") },
		"the whole and a part":     func() { dedupe.Field("", "/a") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				v := recover()
				if text, ok := v.(string); !ok || !strings.HasPrefix(text, "dedupe: ") {
					t.Errorf("panic = %v, want a text that starts with %q", v, "dedupe: ")
				}
			}()
			wire()
		})
	}
}
