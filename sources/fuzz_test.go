package sources_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources"
)

// raw returns the value at a path of members as it stands in body, nil when
// there is none.
func raw(body []byte, path ...string) []byte {
	for _, name := range path {
		var m map[string]json.RawMessage // a map, since a struct would match names in any case
		if json.Unmarshal(body, &m) != nil {
			return nil
		}
		body = m[name]
	}
	return body
}

// at returns the text at a path of members as encoding/json sees it, empty
// when there is none.
func at(body []byte, path ...string) string {
	body = raw(body, path...)
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
// in it, its identity by parts and its body by inside, or that it is refused
// typed with the record as it was.
func fuzz(f *testing.F, kind string, read sources.Splitter, array string, parts func(element []byte) []string, inside func(element []byte) []byte) {
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
		type work struct{ id, body string }
		var wants []work
		for _, element := range all {
			if texts := parts(element); !slices.Contains(texts, "") || kind == "s3event" { // an empty part is refused
				if len(texts) > 1 { // bars stand between them, and are escaped in them
					for i := range texts {
						texts[i] = strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(texts[i])
					}
				}
				wants = append(wants, work{strings.Join(texts, "|"), string(inside(element))})
			}
		}
		for _, rec := range got {
			is, found := work{rec.ID, string(rec.Body)}, false
			for len(wants) > 0 && !found {
				found, wants = wants[0] == is, wants[1:]
			}
			if !found || rec.ID == "" {
				t.Fatalf("%q: got identity %q with body %q, not so in encoding/json", body, rec.ID, rec.Body)
			}
		}
		if err == nil && len(got) != len(all) {
			t.Fatalf("%q: got %d records of %d", body, len(got), len(all))
		}
	})
}

func FuzzSNS(f *testing.F) {
	fuzz(f, "sns", single(sources.SNS), "", func(b []byte) []string { return []string{at(b, "MessageId")} },
		func(b []byte) []byte { return []byte(at(b, "Message")) })
}

func FuzzSNSEvent(f *testing.F) {
	fuzz(f, "snsevent", sources.SNSEvent, "Records", func(b []byte) []string { return []string{at(b, "Sns", "MessageId")} },
		func(b []byte) []byte { return []byte(at(b, "Sns", "Message")) })
}

func FuzzOnFailure(f *testing.F) {
	fuzz(f, "onfailure", single(sources.Chain(sources.OnFailure, sources.EventBridge)), "", func(b []byte) []string {
		return []string{at(b, "requestPayload", "id")}
	}, func(b []byte) []byte { return raw(b, "requestPayload", "detail") })
}

func eventBusID(b []byte) []string {
	if id := at(b, "SystemMetadata", "aws:EventId"); id != "" {
		return []string{id}
	}
	return []string{at(b, "id")}
}

func eventBusData(b []byte) []byte {
	if at(b, "SystemMetadata", "aws:EventId") == "" {
		return raw(b, "detail")
	}
	data := raw(b, "Data")
	if len(data) > 0 && data[0] == '"' {
		return []byte(at(b, "Data"))
	}
	return data
}

func FuzzEventBus(f *testing.F) {
	fuzz(f, "eventbus", single(sources.EventBus), "", eventBusID, eventBusData)
}

func FuzzEventBusBatch(f *testing.F) {
	f.Add([]byte(`[` + sampleOf(f, "eventbus_metadata") + `,` + sampleOf(f, "eventbus_raw") + `]`))
	fuzz(f, "eventbus", sources.EventBusBatch, "", eventBusID, eventBusData)
}

func FuzzS3Event(f *testing.F) {
	fuzz(f, "s3event", sources.S3Event, "Records", func(b []byte) []string {
		return []string{
			at(b, "s3", "bucket", "name"), at(b, "s3", "object", "key"), at(b, "s3", "object", "versionId"),
			at(b, "s3", "object", "sequencer"), at(b, "eventName"),
		}
	}, bytes.Clone)
}

func FuzzKinesis(f *testing.F) {
	fuzz(f, "kinesis", single(sources.Kinesis), "", func(b []byte) []string {
		arn, _, _ := strings.Cut(at(b, "eventSourceARN"), "/consumer/")
		return []string{arn, at(b, "eventID")}
	}, func(b []byte) []byte {
		data, _ := base64.StdEncoding.DecodeString(at(b, "kinesis", "data"))
		return data
	})
}

func FuzzDynamoDBStream(f *testing.F) {
	fuzz(f, "dynamodbstream", single(sources.DynamoDBStream), "", func(b []byte) []string {
		return []string{at(b, "eventSourceARN"), at(b, "eventID")}
	}, bytes.Clone)
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
		if err := sources.Scheduler(again); err != nil || again.ID != rec.ID || !bytes.Equal(rec.Body, raw(body, "detail")) || rec.Source != at(body, "schedule_arn") {
			t.Fatalf("%q: got %q, from encoding/json %q, %v", body, rec.ID, again.ID, err)
		}
	})
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
