package powertools_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
)

// Whatever the body, there is a key or an error; the text that is hashed is
// JSON, and the same again when it is written again, so that spelling does not
// matter twice.
func FuzzKey(f *testing.F) {
	for _, body := range []string{`{"k":"a"}`, `{"k":[1,-0.0,1e-7,{"b":null,"a":"\u2028\ud83c\udf89"}]}`, `{"k":1e21}`, `{"k":{"":{}}}`, `[]`, `{`} {
		f.Add([]byte(body), uint8(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, library uint8) {
		o := powertools.Options{Library: powertools.Library(library%3) + 1, Prefix: "p", Data: powertools.Field("/k")}
		rec := &consumer.Record{Body: body}
		key, err := o.Key(rec)
		if (key == "") == (err == nil) {
			t.Fatalf("key %q and error %v", key, err)
		}
		value, err := o.Data(rec)
		if err != nil {
			return
		}
		text, err := o.Library.Text(value)
		if err != nil || o.Library == powertools.Java && value[0] == '"' {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%s became %s", value, text)
		}
		again, err := o.Library.Text(text)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%s became %s, and that %s, %v", value, text, again, err)
		}
	})
}
