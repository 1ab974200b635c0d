package powertools_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
)

// Data of which a library makes one text for several values, or a text that
// nobody can foresee, has no key.
func TestNotPortable(t *testing.T) {
	const python, typescript, java = powertools.Python, powertools.TypeScript, powertools.Java
	deep := strings.Repeat("[", 501) + strings.Repeat("]", 501)
	for _, c := range []struct {
		library powertools.Library
		values  []string
	}{
		{python, []string{
			"1e400", "-1e400", "0.1000000000000000055", "9007199254740993.0", "1e-400", "3.00000000000000000001", "1e99999999999999999999", deep,
		}},
		{typescript, []string{
			"9007199254740992", "-9007199254740993", "1e16", "1e400", "0.1000000000000000055", "1e-400", "12345678901234567890",
			`{"10":1}`, `{"a":1,"A":2}`, `{"ä":1}`, `{"__proto__":1}`, `{"\u212a":1}`, `[[{"x":{"0":1}}]]`,
		}},
		{java, []string{"1.5", "1.0", "1e2", "-0", "[1.5]", `{"a":1,"b":2}`, `[{"a":{"b":1,"c":1}}]`}},
	} {
		for _, value := range c.values {
			o := powertools.Options{Library: c.library, Prefix: "p", Data: powertools.Field("/k")}
			key, err := o.Key(&consumer.Record{Body: []byte(`{"k":` + value + `}`)})
			if e, ok := errors.AsType[*dedupe.KeyError](err); !ok || !errors.Is(e, powertools.ErrNotPortable) {
				t.Errorf("%v, %s: %q, %v; want ErrNotPortable in a KeyError", c.library, value, key, err)
			}
		}
	}
}

// What is missing, null or empty identifies nothing in any library: the
// record fails, and is not looked up, or runs if that was asked for.
func TestNoKey(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"k":null}`, `{"k":""}`, `{"k":[]}`, `{"k":{}}`, `{"k":[null]}`, `{"k":[null,null]}`, `{"k":{"a":null,"b":null}}`, `{"other":{"k":1}}`, `[1]`, `7`,
	} {
		for _, library := range libraries() {
			o := options()
			o.Library, o.Data = library, powertools.Field("/k")
			rec := &consumer.Record{Body: []byte(body)}
			if key, err := o.Key(rec); !errors.Is(err, dedupe.ErrNoKey) {
				t.Errorf("%v, %s: %q, %v; want ErrNoKey", library, body, key, err)
			}
			for _, optional := range []bool{false, true} {
				o.Optional = optional
				server := newServer(t)
				var runs counted
				err := powertools.Done(server.Client(), "idempotency", o)(&runs).HandleRecord(t.Context(), rec)
				if n := len(server.Requests()); n != 0 || (runs == 1) != optional || errors.Is(err, dedupe.ErrNoKey) == optional {
					t.Errorf("%v, %s, optional %v: %v after %d runs and %d requests", library, body, optional, err, runs, n)
				}
			}
		}
	}
	// Zero, false and an empty text among others are values.
	for _, body := range []string{`{"k":0}`, `{"k":false}`, `{"k":[""]}`, `{"k":[null,0]}`, `{"k":{"a":[]}}`, `{"k":" "}`} {
		o := options()
		o.Data = powertools.Field("/k")
		if key, err := o.Key(&consumer.Record{Body: []byte(body)}); err != nil || !strings.HasPrefix(key, "orders.app.place#") {
			t.Errorf("%s: %q, %v; want a key", body, key, err)
		}
	}
}

// A body that two readers could understand in two ways fails its record, also
// where the trouble is far from what is looked for; so does Data that is none.
func TestStrictBodies(t *testing.T) {
	for body, want := range map[string]error{
		``:                                 dedupe.ErrNotJSON,
		`{"k":1`:                           dedupe.ErrNotJSON,
		`{"k":1} {}`:                       dedupe.ErrNotJSON,
		`{"k":NaN}`:                        dedupe.ErrNotJSON,
		`{"k":01}`:                         dedupe.ErrNotJSON,
		`{"k":"\ud800"}`:                   dedupe.ErrNotJSON,
		`{"k":1,"k":2}`:                    dedupe.ErrDuplicateMember,
		`{"k":1,"x":[{"a":1,"\u0061":2}]}`: dedupe.ErrDuplicateMember,
		"{\"k\":\"\xff\"}":                 dedupe.ErrInvalidUTF8,
	} {
		o := options()
		for name, data := range map[string]powertools.Data{"field": powertools.Field("/k"), "fields": powertools.Fields("/j", "/k"), "all": powertools.Field("")} {
			o.Data = data
			key, err := o.Key(&consumer.Record{Body: []byte(body)})
			if _, ok := errors.AsType[*dedupe.KeyError](err); !ok || !errors.Is(err, want) {
				t.Errorf("%s, %s: %q, %v; want %v in a KeyError", name, body, key, err, want)
			}
		}
	}
	for name, data := range map[string]powertools.Data{
		"no JSON":  func(*consumer.Record) ([]byte, error) { return []byte("o-1"), nil },
		"nothing":  func(*consumer.Record) ([]byte, error) { return nil, nil },
		"too much": func(*consumer.Record) ([]byte, error) { return []byte(`"a" "b"`), nil },
		"half":     func(*consumer.Record) ([]byte, error) { return []byte(`[null,`), nil },
	} {
		for _, library := range libraries() {
			o := powertools.Options{Library: library, Prefix: "p", Data: data}
			if key, err := o.Key(orderRecord()); !errors.Is(err, dedupe.ErrNotJSON) {
				t.Errorf("%v, %s: %q, %v; want ErrNotJSON", library, name, key, err)
			}
		}
	}
	o := options()
	o.Data = powertools.Text
	if key, err := o.Key(&consumer.Record{Body: []byte("\xff")}); !errors.Is(err, dedupe.ErrInvalidUTF8) {
		t.Errorf("text: %q, %v; want ErrInvalidUTF8", key, err)
	}
}

// The ids are those of the record as it was delivered: the queue's message id
// where there is one, the event's own id.
func TestIDs(t *testing.T) {
	for _, c := range []struct {
		rec  consumer.Record
		data powertools.Data
		want string
	}{
		{consumer.Record{ID: "e-1", MessageID: "m-1"}, powertools.MessageID, "m-1"},
		{consumer.Record{ID: "m-1"}, powertools.MessageID, "m-1"},
		{consumer.Record{ID: "e-1", MessageID: "m-1"}, powertools.ID, "e-1"},
		{consumer.Record{Body: []byte("m-1")}, powertools.Text, "m-1"},
	} {
		got, err := c.data(&c.rec)
		if want := fmt.Sprintf("%q", c.want); string(got) != want || err != nil {
			t.Errorf("%+v: %s, %v; want %s", c.rec, got, err, want)
		}
	}
	o := options()
	o.Data = powertools.ID
	if key, err := o.Key(&consumer.Record{}); !errors.Is(err, dedupe.ErrNoKey) {
		t.Errorf("no id: %q, %v; want ErrNoKey", key, err)
	}
}
