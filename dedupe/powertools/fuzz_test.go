package powertools_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
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

// Whatever item stands in the Powertools table, a record is done only by one
// that says COMPLETED and has not expired, runs only where none is at it, and
// else fails with an error that says that it cannot be read or is in progress.
func FuzzItem(f *testing.F) {
	for _, text := range []string{
		`{"status":{"S":"COMPLETED"},"expiration":{"N":"9000000000"}}`, `{"status":{"S":"COMPLETED"},"expiration":{"N":"1"}}`,
		`{"status":{"S":"INPROGRESS"},"expiration":{"N":"9000000000"},"in_progress_expiration":{"N":"9000000000000"}}`,
		`{"status":{"S":"INPROGRESS"},"expiration":{"N":"1"},"in_progress_expiration":{"N":"1.5"}}`,
		`{"status":{"S":"COMPLETED"},"expiration":{"S":"9000000000"}}`, `{"status":{"S":"COMPLETED"}}`, `{"status":{"N":"1"},"expiration":{"N":"1e99"}}`,
		`{"status":{"S":"completed"},"expiration":{"N":"-1"}}`, `{"status":{"S":"COMPLETED"},"expiration":{"N":"9000000000"},"validation":{"S":"x"}}`, `{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var i ddbtest.Item
		if json.Unmarshal(text, &i) != nil || i == nil {
			return
		}
		i["id"] = str(orderID)
		if !ddbtest.Storable(i) {
			return
		}
		var runs counted
		err := powertools.Done(newServer(t, i).Client(), "idempotency", options())(&runs).HandleRecord(t.Context(), orderRecord())
		completed := i["status"].S != nil && *i["status"].S == "COMPLETED"
		_, unreadable := errors.AsType[*powertools.ItemError](err)
		switch {
		case err != nil && !unreadable && !errors.Is(err, dedupe.ErrInProgress):
			t.Errorf("%s: %v (%T)", text, err, err)
		case err != nil && runs != 0:
			t.Errorf("%s: ran, with error %v", text, err)
		case err == nil && runs == 0 && !completed:
			t.Errorf("%s: taken for done", text)
		case err == nil && runs == 1 && i["expiration"].N == nil:
			t.Errorf("%s: ran, although it cannot be read", text)
		}
	})
}
