package lambdasource_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/jsonfault"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// source is a real payload with what reads it.
type source struct {
	make    func(consumer.Handler) lambda.Handler
	payload []byte
}

// payloads are real payloads with what reads them.
func payloads(t testing.TB) map[string]source {
	list := func(texts ...string) []byte { return []byte(strings.Join(texts, ",")) }
	records := func(texts ...string) []byte {
		return slices.Concat([]byte(`{"Records":[`), list(texts...), []byte(`]}`))
	}
	array := func(texts ...string) []byte { return slices.Concat([]byte(`[`), list(texts...), []byte(`]`)) }
	one := lambdasource.Options{Concurrency: 1, ReportAllFailed: true}
	events := lambdasource.Options{Concurrency: 1, ReportAllFailed: true, Decode: sources.EventBridge}
	return map[string]source{
		"scheduler":         {func(h consumer.Handler) lambda.Handler { return lambdasource.Scheduler(nil, h) }, []byte(envelope(t, "scheduler_nightly"))},
		"sns":               {func(h consumer.Handler) lambda.Handler { return lambdasource.SNS(nil, h) }, []byte(envelope(t, "snsevent_order"))},
		"eventbus":          {func(h consumer.Handler) lambda.Handler { return lambdasource.EventBus(nil, h) }, array(envelope(t, "eventbus_group"), envelope(t, "eventbus_metadata"))},
		"kinesis":           {func(h consumer.Handler) lambda.Handler { return lambdasource.Kinesis(nil, h, one) }, records(kinesisRecord(inStream{"9", "a", "x"}), kinesisRecord(inStream{"10", "a", "y"}))},
		"dynamodb":          {func(h consumer.Handler) lambda.Handler { return lambdasource.DynamoDBStream(nil, h, one) }, records(dynamoDBRecord(inStream{"9", "a", "x"}), dynamoDBRecord(inStream{"10", "a", "y"}))},
		"pipes":             {func(h consumer.Handler) lambda.Handler { return lambdasource.Pipes(nil, h, one) }, array(good, strings.Replace(good, `"m1"`, `"m2"`, 1))},
		"pipes+eventbridge": {func(h consumer.Handler) lambda.Handler { return lambdasource.Pipes(nil, h, events) }, array(event, strings.Replace(event, "event-1", "event-2", 1))},
		"sqs":               {func(h consumer.Handler) lambda.Handler { return lambdasource.SQS(nil, h, one) }, records(good, strings.Replace(good, `"m1"`, `"m2"`, 1))},
	}
}

// A payload that is cut off anywhere, or in which a value is missing, null,
// empty, there twice or of another type, fails typed, or every record in it is
// handled under the identity that it has, or reported.
func TestDamagedPayloads(t *testing.T) {
	for name, s := range payloads(t) {
		whole := new(kept)
		if response, err := s.make(whole).Invoke(t.Context(), s.payload); err != nil || len(whole.recs) == 0 {
			t.Fatalf("%s: got %s, %v", name, response, err)
		}
		for f := range jsonfault.All(s.payload) {
			k := new(kept)
			response, err := s.make(k).Invoke(t.Context(), f.Body)
			_, isPayload := errors.AsType[*lambdasource.PayloadError](err)
			_, isFailed := errors.AsType[*lambdasource.FailedError](err)
			switch {
			case err != nil && !isPayload && !isFailed:
				t.Errorf("%s, %s %s: got %v (%T)", name, f.Path, f.What, err, err)
			case isPayload && len(k.recs) > 0, err == nil && f.Path == "" && string(f.Body) != "[]" && f.What != `{}`:
				t.Errorf("%s, %s %s: got %s, %v and ran %q", name, f.Path, f.What, response, err, k.ids())
			}
			for _, id := range k.ids() {
				if !slices.Contains(whole.ids(), id) {
					t.Errorf("%s, %s %s: ran %q, want one of %q", name, f.Path, f.What, id, whole.ids())
				}
			}
			if missing := len(whole.recs) - len(k.recs); err == nil && missing > 0 && bytes.Count(response, []byte("itemIdentifier")) == 0 && f.What != "removed" && f.What != "[]" {
				t.Errorf("%s, %s %s: ran %q and reported %s: %d records are lost", name, f.Path, f.What, k.ids(), response, missing)
			}
		}
	}
}

// elementsOf returns how many records encoding/json sees in a payload of that
// kind.
func elementsOf(kind string, payload []byte) int {
	var object map[string]json.RawMessage // a map, since a struct would match names in any case
	array := payload
	switch kind {
	case "sqs", "kinesis", "dynamodb", "sns":
		_ = json.Unmarshal(payload, &object)
		array = object["Records"]
	}
	var all []json.RawMessage
	if err := json.Unmarshal(array, &all); err != nil {
		return 1 // the whole
	}
	return len(all)
}

// FuzzPayloads feeds every handler with everything: it fails typed, or each
// record that encoding/json sees runs under an identity or is reported.
func FuzzPayloads(f *testing.F) {
	all := payloads(f)
	for _, s := range all {
		f.Add(s.payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		intact := bytes.Clone(payload)
		for name, s := range all {
			k := new(kept)
			response, err := s.make(k).Invoke(t.Context(), payload)
			if !bytes.Equal(payload, intact) {
				t.Fatalf("%s: the payload was changed", name)
			}
			_, isPayload := errors.AsType[*lambdasource.PayloadError](err)
			if err != nil && (response != nil || isPayload && len(k.recs) > 0) || err == nil && !json.Valid(response) {
				t.Fatalf("%s: got %s, %v with %d records", name, response, err, len(k.recs))
			}
			if slices.Contains(k.ids(), "") {
				t.Fatalf("%s: a record ran without an identity", name)
			}
			if n := elementsOf(name, payload); err == nil && !bytes.Contains(response, []byte("itemIdentifier")) && len(k.recs) != n {
				t.Fatalf("%s: %d of %d records ran, and %s reports none", name, len(k.recs), n, response)
			}
		}
	})
}
