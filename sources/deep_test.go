package sources_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

// replacements calls f with each text that a sample becomes when one of its
// values, at any depth, is replaced by other, which need not be JSON.
func replacements(t *testing.T, sample []byte, other string, f func(path string, body []byte)) {
	t.Helper()
	const mark = "the value"
	var root any
	if err := json.Unmarshal(sample, &root); err != nil {
		t.Fatal(err)
	}
	tell := func(path string) {
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		f(path, bytes.Replace(text, []byte(`"`+mark+`"`), []byte(other), 1))
	}
	var walk func(path string, at any)
	walk = func(path string, at any) {
		switch at := at.(type) {
		case map[string]any:
			for name, value := range at {
				at[name] = mark
				tell(path + "/" + name)
				at[name] = value
				walk(path+"/"+name, value)
			}
		case []any:
			for i, value := range at {
				at[i] = mark
				tell(path + "/" + strconv.Itoa(i))
				at[i] = value
				walk(path+"/"+strconv.Itoa(i), value)
			}
		}
	}
	walk("", root)
}

// What is nested 100,000 levels deep, at any place of any envelope, is an
// EnvelopeError that changes nothing, without much time.
func TestDeepAnywhere(t *testing.T) {
	deep := nested(100_000)
	began, n := time.Now(), 0
	eachSample(t, func(name string, read sources.Splitter, body []byte) {
		replacements(t, body, deep, func(path string, body []byte) {
			n++
			rec := delivery(body)
			got, err := read(rec)
			if _, ok := errors.AsType[*sources.EnvelopeError](err); !ok || len(got) > 0 || !same(rec, delivery(body)) {
				t.Errorf("%s, %s: %d records, %v, want an EnvelopeError and no change", name, path, len(got), err)
			}
		})
	})
	if took := time.Since(began); n < 100 || took > time.Minute { // it takes less than a second
		t.Errorf("%d places took %v", n, took)
	}
}

// What is deep inside of a text concerns nobody until it is read: a message of
// SNS, data of Kinesis and of a bus are taken as they are, and the envelope in
// them fails.
func TestDeepInText(t *testing.T) {
	deep := nested(100_000)
	quotedDeep := quoted(deep)
	for name, c := range map[string]struct {
		sample, path, value string
		read                sources.Decoder
	}{
		"SNS":     {"sns_order", "/Message", quotedDeep, sources.SNS},
		"bus":     {"eventbus_metadata", "/Data", quotedDeep, sources.EventBus},
		"Kinesis": {"kinesis_order", "/kinesis/data", quoted(base64.StdEncoding.EncodeToString([]byte(deep))), sources.Kinesis},
	} {
		found := false
		replacements(t, []byte(sampleOf(t, c.sample)), c.value, func(path string, body []byte) {
			if path != c.path {
				return
			}
			found = true
			rec := delivery(bytes.Clone(body))
			if err := c.read(rec); err != nil || string(rec.Body) != deep || rec.ID == "" {
				t.Errorf("%s: %v, a body of %d bytes, want %d", name, err, len(rec.Body), len(deep))
			}
			rec = delivery(bytes.Clone(body))
			err := sources.Chain(c.read, sources.EventBridge)(rec)
			if ee, ok := errors.AsType[*sources.EnvelopeError](err); !ok || ee.Envelope != "EventBridge" || !errors.Is(err, sources.ErrNotEnvelope) || !same(rec, delivery(body)) {
				t.Errorf("%s with an event in it: %v, want an EnvelopeError of EventBridge", name, err)
			}
		})
		if !found {
			t.Errorf("%s: nothing at %s of %s", name, c.path, c.sample)
		}
	}
}

// Envelopes of the largest size, 1 MiB with all that is around (Amazon SQS,
// Amazon EventBridge and Lambda quotas), are read as small ones are.
func TestLargestEnvelopes(t *testing.T) {
	const size = 1<<20 - 4<<10
	for name, text := range map[string]string{
		"plain": strings.Repeat("x", size), "escaped": strings.Repeat(`"\`, size/4), "two bytes": strings.Repeat("é", size/2),
	} {
		inside := quoted(text)
		for what, c := range map[string]struct {
			read sources.Decoder
			body string
			want string
		}{
			"SNS":         {sources.SNS, `{"Type":"Notification","MessageId":"i","TopicArn":"arn:t","Message":` + inside + `}`, text},
			"EventBridge": {sources.EventBridge, `{"id":"i","source":"s","detail-type":"t","detail":{"a":` + inside + `}}`, `{"a":` + inside + `}`},
			"bus":         {sources.EventBus, `{"SystemMetadata":{"aws:EventId":"i"},"Data":` + inside + `}`, text},
			"on-failure": {sources.Chain(sources.OnFailure, sources.EventBridge), `{"requestContext":{"condition":"RetriesExhausted"},"requestPayload":` +
				`{"id":"i","source":"s","detail-type":"t","detail":{"a":` + inside + `}}}`, `{"a":` + inside + `}`},
		} {
			rec := &consumer.Record{Body: []byte(c.body)}
			if err := c.read(rec); err != nil || rec.ID != "i" || string(rec.Body) != c.want {
				t.Errorf("%s, %s: %v, ID %q, a body of %d bytes, want %d", what, name, err, rec.ID, len(rec.Body), len(c.want))
			}
		}
	}
}
