package powertools_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// written is what a library wrote: testdata/README.md says how.
type written struct {
	Library   string // python, typescript or java
	Version   string
	Prefix    string
	StaticKey string
	Read      int64 // when the records that expire at once have expired
	Written   []struct {
		Case string
		Item ddbtest.Item
	}
}

// example is a message and the settings with which it was handled.
type example struct {
	Name, MessageID, Body string
	JMESPath              string
	Select                string
	Pointers              []string
	Validation            string
	Prefix, Hash          string
	Sorted, Renamed       bool
	Not                   []string // libraries whose way to write it cannot be followed
	Want                  string
}

func (e *example) record() *consumer.Record {
	return &consumer.Record{ID: "e-1", MessageID: e.MessageID, Body: []byte(e.Body)}
}

// options are those of the function that wrote w.
func (e *example) options(w *written) powertools.Options {
	o := powertools.Options{Library: libraries()[w.Library], Prefix: w.Prefix, Data: e.data()}
	if e.Prefix != "" {
		o.Prefix = e.Prefix
	}
	switch e.Validation {
	case "body":
		o.Validation = powertools.Text
	case "nothing":
		o.Validation = powertools.Field("/nothing")
	}
	if e.Hash == "sha256" {
		o.Hash = sha256.New
	}
	if e.Sorted {
		o.KeyAttr, o.SortKeyAttr, o.StaticKey = "pk", "sk", w.StaticKey
	}
	if e.Renamed {
		o.StatusAttr, o.ExpiryAttr, o.InProgressExpiryAttr, o.ValidationAttr = "st", "ex", "ip", "va"
	}
	return o
}

func (e *example) data() powertools.Data {
	switch e.Select {
	case "field":
		return powertools.Field(e.Pointers[0])
	case "fields":
		return powertools.Fields(e.Pointers...)
	case "messageId":
		return powertools.MessageID
	default:
		return powertools.Text
	}
}

func libraries() map[string]powertools.Library {
	return map[string]powertools.Library{
		"python": powertools.Python, "typescript": powertools.TypeScript, "java": powertools.Java,
	}
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// eachWritten calls f in a bubble, at the time when the records were read, for
// each library.
func eachWritten(t *testing.T, f func(*testing.T, *written, []example)) {
	t.Helper()
	var examples []example
	load(t, filepath.Join("testdata", "cases.json"), &examples)
	files, err := filepath.Glob(filepath.Join("testdata", "*-*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found %q (%v), want what Python and TypeScript wrote", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var w written
			load(t, file, &w)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.UnixMilli(w.Read)))
				f(t, &w, examples)
			})
		})
	}
}

// A record that Powertools wrote is found, and it counts for what it is: done,
// held by a worker there, or nothing.
func TestWritten(t *testing.T) {
	eachWritten(t, func(t *testing.T, w *written, examples []example) {
		for _, row := range w.Written {
			i := slices.IndexFunc(examples, func(e example) bool { return e.Name == row.Case })
			if i < 0 {
				t.Errorf("%s: no such case", row.Case)
				continue
			}
			e := &examples[i]
			o := e.options(w)
			if id, err := o.Key(e.record()); err != nil || row.Item[cmp.Or(o.SortKeyAttr, "id")].S == nil || id != *row.Item[cmp.Or(o.SortKeyAttr, "id")].S {
				t.Errorf("%s: body %s, expression %s: key %q (%v), written: %s", e.Name, e.Body, e.JMESPath, id, err, text(row.Item))
			}
			client := newServerWith(t, o, row.Item).Client()
			ran := false
			h := powertools.Done(client, "idempotency", o)(consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
				ran = true
				return nil
			}))
			err := h.HandleRecord(t.Context(), e.record())
			got := "done"
			switch retry, busy := errors.AsType[*consumer.RetryError](err); {
			case busy && errors.Is(err, dedupe.ErrInProgress) && retry.After > 0:
				got = "held"
			case err != nil:
				got = err.Error()
			case ran:
				got = "open"
			}
			if want := cmp.Or(e.Want, "done"); got != want {
				t.Errorf("%s: body %s: %s, want %s; written: %s", e.Name, e.Body, got, want, text(row.Item))
			}
		}
	})
}

// Every case is there for every library, but for those whose way to write it
// cannot be followed; these are refused.
func TestWrittenComplete(t *testing.T) {
	eachWritten(t, func(t *testing.T, w *written, examples []example) {
		for _, e := range examples {
			if e.Prefix != "" && w.Library == "java" {
				continue // has none of one's own
			}
			n := 0
			for _, row := range w.Written {
				if row.Case == e.Name {
					n++
				}
			}
			if slices.Contains(e.Not, w.Library) {
				o := e.options(w)
				if id, err := o.Key(e.record()); !errors.Is(err, powertools.ErrNotPortable) && n == 0 {
					t.Errorf("%s: key %q (%v), want ErrNotPortable", e.Name, id, err)
				}
			} else if n != 1 {
				t.Errorf("%s: written %d times, want once", e.Name, n)
			}
		}
	})
}

// newServer returns a server that has a Powertools table with these items.
func newServer(t *testing.T, items ...ddbtest.Item) *ddbtest.Server {
	t.Helper()
	return newServerWith(t, options(), items...)
}

// newServerWith is newServer with the keys of o.
func newServerWith(t *testing.T, o powertools.Options, items ...ddbtest.Item) *ddbtest.Server {
	t.Helper()
	server := ddbtest.New(ddbtest.Options{})
	in := &dynamodb.CreateTableInput{TableName: aws.String("idempotency"), BillingMode: types.BillingModePayPerRequest}
	key := func(name string, kind types.KeyType) {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &name, KeyType: kind})
	}
	key(cmp.Or(o.KeyAttr, "id"), types.KeyTypeHash)
	if o.SortKeyAttr != "" {
		key(o.SortKeyAttr, types.KeyTypeRange)
	}
	if _, err := server.Client().CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		server.Put("idempotency", i)
	}
	server.Reset()
	return server
}

func text(item ddbtest.Item) string {
	data, err := json.Marshal(item)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
