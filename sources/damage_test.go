package sources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/jsonfault"
	"github.com/onlyonce-go/onlyonce/sources"
)

var update = flag.Bool("update", false, "write the golden files anew")

// readers returns what reads the samples whose names begin like that.
func readers() map[string]sources.Splitter {
	return map[string]sources.Splitter{
		"eventbridge":    single(sources.EventBridge),
		"sns":            single(sources.SNS),
		"snsevent":       sources.SNSEvent,
		"scheduler":      single(sources.Scheduler),
		"onfailure":      single(sources.Chain(sources.OnFailure, sources.EventBridge)),
		"eventbus":       single(sources.EventBus),
		"s3event":        sources.S3Event,
		"kinesis":        single(sources.Kinesis),
		"dynamodbstream": single(sources.DynamoDBStream),
	}
}

// single makes a Splitter of a Decoder.
func single(d sources.Decoder) sources.Splitter {
	return func(rec *consumer.Record) ([]*consumer.Record, error) {
		if err := d(rec); err != nil {
			return nil, err
		}
		return []*consumer.Record{rec}, nil
	}
}

// eachSample calls f with every sample.
func eachSample(t testing.TB, f func(name string, read sources.Splitter, body []byte)) {
	t.Helper()
	for kind, read := range readers() {
		files, err := filepath.Glob("testdata/" + kind + "_*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("no samples of %s: %v", kind, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f(strings.TrimSuffix(filepath.Base(file), ".json"), read, body)
		}
	}
}

// What AWS sends becomes the records that the golden files hold.
func TestGolden(t *testing.T) {
	type shown struct {
		consumer.Record
		Body string // instead of base64
		Raw  any    `json:"-"`
	}
	eachSample(t, func(name string, read sources.Splitter, body []byte) {
		recs, err := read(delivery(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		records := []shown{}
		for _, rec := range recs {
			records = append(records, shown{Record: *rec, Body: string(rec.Body)})
		}
		got, err := json.MarshalIndent(records, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(append(got, '\n'), want) {
			t.Errorf("%s (%v):\n got %s\nwant %s", name, err, got, want)
		}
	})
}

// otherIdentity tells for which faults a record rightly gets another identity
// than the sample's: an object of S3 is known by its version, its sequencer or
// both.
func otherIdentity(path string) bool {
	return strings.HasSuffix(path, "/s3/object/versionId") || strings.HasSuffix(path, "/s3/object/sequencer")
}

// A sample that is cut off anywhere, or in which a value is missing, null,
// empty, there twice or of another type, either fails typed or gives the
// records that it gave, never one with another identity or order.
func TestDamagedSamples(t *testing.T) {
	eachSample(t, func(name string, read sources.Splitter, body []byte) {
		whole, err := read(delivery(bytes.Clone(body)))
		if err != nil {
			t.Fatal(err)
		}
		failed, right := 0, 0
		for f := range jsonfault.All(body) {
			rec := delivery(bytes.Clone(f.Body))
			got, err := read(rec)
			if _, ok := errors.AsType[*sources.EnvelopeError](err); err != nil && !ok {
				t.Errorf("%s, %s %s: error %v (%T), want an EnvelopeError", name, f.Path, f.What, err, err)
			}
			if len(got) == 0 && !same(rec, delivery(f.Body)) {
				t.Errorf("%s, %s %s: the record changed although it was refused: %+v", name, f.Path, f.What, rec)
			}
			if err != nil {
				failed++
			} else if right++; f.Path == "" && f.What != "[null]" || len(got) != len(whole) && f.What != "removed" {
				t.Errorf("%s, %s %s: got %d records and no error", name, f.Path, f.What, len(got))
			}
			for _, rec := range got {
				known := slices.ContainsFunc(whole, func(w *consumer.Record) bool {
					return w.ID == rec.ID && w.MessageID == rec.MessageID && (w.Group == rec.Group || !rec.Ordered || strings.HasPrefix(f.Path, "/dynamodb/Keys/"))
				})
				if !known && (!otherIdentity(f.Path) || rec.ID == "") {
					t.Errorf("%s, %s %s: got identity %q, message %q, group %q", name, f.Path, f.What, rec.ID, rec.MessageID, rec.Group)
				}
			}
		}
		if failed == 0 || right == 0 {
			t.Errorf("%s: %d faults were refused, %d made no difference: want some of both", name, failed, right)
		}
	})
}
