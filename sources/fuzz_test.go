package sources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources"
)

// at returns the text at a path of members as encoding/json sees it, empty
// when there is none.
func at(body []byte, path ...string) string {
	for _, name := range path {
		var m map[string]json.RawMessage // a map, since a struct would match names in any case
		if json.Unmarshal(body, &m) != nil {
			return ""
		}
		body = m[name]
	}
	var text string
	if json.Unmarshal(body, &text) != nil {
		return ""
	}
	return text
}

// elements returns the elements of an array under that name, or of body.
func elements(body []byte, name string) (all []json.RawMessage) {
	if name != "" {
		var m map[string]json.RawMessage
		if json.Unmarshal(body, &m) != nil {
			return nil
		}
		body = m[name]
	}
	if json.Unmarshal(body, &all) != nil {
		return nil
	}
	return all
}

// fuzz checks that whatever read makes of a body is what encoding/json sees
// in it, by parts, or that it is refused typed with the record as it was.
func fuzz(f *testing.F, kind string, read sources.Splitter, array string, parts func(element []byte) []string) {
	eachSample(f, func(_ string, _ sources.Splitter, body []byte) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := delivery(bytes.Clone(body))
		got, err := read(rec)
		if _, ok := errors.AsType[*sources.EnvelopeError](err); err != nil && !ok {
			t.Fatalf("error %v (%T), want an EnvelopeError", err, err)
		}
		if len(got) == 0 {
			if !same(rec, delivery(body)) {
				t.Fatalf("the record changed although nothing was read: %+v", rec)
			}
			return
		}
		all := []json.RawMessage{body}
		if array != "" {
			all = elements(body, array)
		} else if trimmed := bytes.TrimSpace(body); trimmed[0] == '[' {
			all = elements(body, "")
		}
		var wants []string
		for _, element := range all {
			if texts := parts(element); !strings.Contains("|"+strings.Join(texts, "|")+"|", "||") || kind == "s3event" {
				wants = append(wants, strings.Join(texts, "|"))
			}
		}
		for _, rec := range got {
			id, found := strings.NewReplacer(`\|`, `|`, `\\`, `\`).Replace(rec.ID), false
			for len(wants) > 0 && !found {
				found, wants = wants[0] == id, wants[1:]
			}
			if !found || rec.ID == "" {
				t.Fatalf("%q: got identity %q, not so in encoding/json", body, rec.ID)
			}
		}
		if err == nil && len(got) != len(all) {
			t.Fatalf("%q: got %d records of %d", body, len(got), len(all))
		}
	})
}

func FuzzSNS(f *testing.F) {
	fuzz(f, "sns", single(sources.SNS), "", func(b []byte) []string { return []string{at(b, "MessageId")} })
}

func FuzzSNSEvent(f *testing.F) {
	fuzz(f, "snsevent", sources.SNSEvent, "Records", func(b []byte) []string { return []string{at(b, "Sns", "MessageId")} })
}

func FuzzOnFailure(f *testing.F) {
	fuzz(f, "onfailure", single(sources.Chain(sources.OnFailure, sources.EventBridge)), "", func(b []byte) []string {
		return []string{at(b, "requestPayload", "id")}
	})
}

func eventBusID(b []byte) []string {
	if id := at(b, "SystemMetadata", "aws:EventId"); id != "" {
		return []string{id}
	}
	return []string{at(b, "id")}
}

func FuzzEventBus(f *testing.F) {
	fuzz(f, "eventbus", single(sources.EventBus), "", eventBusID)
}

func FuzzEventBusBatch(f *testing.F) {
	f.Add([]byte(`[` + sampleOf(f, "eventbus_metadata") + `,` + sampleOf(f, "eventbus_raw") + `]`))
	fuzz(f, "eventbus", sources.EventBusBatch, "", eventBusID)
}

func FuzzS3Event(f *testing.F) {
	fuzz(f, "s3event", sources.S3Event, "Records", func(b []byte) []string {
		return []string{
			at(b, "s3", "bucket", "name"), at(b, "s3", "object", "key"), at(b, "s3", "object", "versionId"),
			at(b, "s3", "object", "sequencer"), at(b, "eventName"),
		}
	})
}

func FuzzKinesis(f *testing.F) {
	fuzz(f, "kinesis", single(sources.Kinesis), "", func(b []byte) []string {
		arn, _, _ := strings.Cut(at(b, "eventSourceARN"), "/consumer/")
		return []string{arn, at(b, "eventID")}
	})
}

func FuzzDynamoDBStream(f *testing.F) {
	fuzz(f, "dynamodbstream", single(sources.DynamoDBStream), "", func(b []byte) []string {
		return []string{at(b, "eventSourceARN"), at(b, "eventID")}
	})
}

// The identity of a schedule is its own ARN and the instant that was given.
func FuzzScheduler(f *testing.F) {
	eachSample(f, func(_ string, _ sources.Splitter, body []byte) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := delivery(bytes.Clone(body))
		err := sources.Scheduler(rec)
		if err != nil {
			if _, ok := errors.AsType[*sources.EnvelopeError](err); !ok || !same(rec, delivery(body)) {
				t.Fatalf("got %v (%T) and %+v, want an EnvelopeError and no change", err, err, rec)
			}
			return
		}
		again := delivery([]byte(`{"detail":{},"schedule_arn":` + quoted(at(body, "schedule_arn")) + `,"scheduled_time":` + quoted(at(body, "scheduled_time")) + `}`))
		if err := sources.Scheduler(again); err != nil || again.ID != rec.ID || rec.Source != at(body, "schedule_arn") {
			t.Fatalf("%q: got %q, from encoding/json %q, %v", body, rec.ID, again.ID, err)
		}
	})
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
