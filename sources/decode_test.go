package sources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

// delivery is a record as a queue delivers it, its envelope still on.
func delivery(body []byte) *consumer.Record {
	return &consumer.Record{
		ID: "059f36b4-87a3-44ab-83d2-661975830a7d", MessageID: "059f36b4-87a3-44ab-83d2-661975830a7d",
		Source: "arn:aws:sqs:eu-central-1:123456789012:orders", Group: "g", Ordered: true, Attempt: 3,
		Time: time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC), Replay: "stale", Type: "stale",
		Attributes: map[string]string{"a": "b"}, Body: body, Raw: "raw",
	}
}

// same reports whether nothing that a Decoder may touch differs.
func same(a, b *consumer.Record) bool {
	return a.ID == b.ID && a.MessageID == b.MessageID && a.Source == b.Source && a.Type == b.Type && a.Group == b.Group &&
		a.Ordered == b.Ordered && a.Time.Equal(b.Time) && a.Attempt == b.Attempt && a.Replay == b.Replay &&
		maps.Equal(a.Attributes, b.Attributes) && bytes.Equal(a.Body, b.Body) && a.Raw == b.Raw
}

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/eventbridge_*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	m := make(map[string][]byte)
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "eventbridge_"), ".json")] = body
	}
	return m
}

// An event's envelope gives the record its identity, and what belongs to the
// delivery stays.
func TestEventBridge(t *testing.T) {
	wants := map[string]struct{ id, source, typ, at, replay, detail string }{
		"order": {"17793124-05d4-b198-2fde-7ededc63b103", "com.example.orders", "OrderPlaced", "2026-11-21T12:22:54Z", "",
			"{\n    \"order_id\": \"A-17\",\n    \"total\": { \"value\": \"12.50\", \"currency\": \"EUR\" },\n    \"lines\": [ { \"sku\": \"a-1\", \"quantity\": 2 }, { \"sku\": \"b-2\", \"quantity\": 1 } ]\n  }"},
		"ec2": {"6a7e8feb-b491-4cf7-a9f1-bf3703467718", "aws.ec2", "EC2 Instance State-change Notification", "2017-12-22T18:43:48Z", "",
			`{"instance-id":"i-1234567890abcdef0","state":"terminated"}`},
		"s3": {"2d4eba74-fd51-3966-4bfa-b013c9da8ff1", "aws.s3", "Object Created", "2021-11-13T00:00:59Z", "",
			`{"version":"0","bucket":{"name":"amzn-s3-demo-bucket1"},"object":{"key":"example-key","size":5,"etag":"b57f9512698f4b09e608f4f2a65852e5","version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"00617F08299329D189"},"request-id":"N4N7GDK58NMKJ12R","requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}`},
		"schedule": {"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "aws.events", "Scheduled Event", "2015-10-08T16:53:06Z", "", `{}`},
		"replay": {"b6b2b1a0-3a0e-4f0c-8d6b-5a2f8e0c9d11", "com.example.orders", "OrderPlaced", "2026-11-01T00:00:01Z", "after-the-outage",
			`{"order_id":"A-3","detail":{"id":"inner","detail":{"replay-name":"no"}}}`},
		"numbers": {"0b9d5b9e-7c0f-4a52-9d2e-2d0c6c0b7a11", "com.example.payments", "PaymentCaptured", "2026-11-21T12:22:54.123456789Z", "",
			`{"payment_id":12345678901234567890,"amount":0.10000000000000001,"rate":1.0,"tiny":1e-400,"zero":-0}`},
		"unicode": {"c0ffee00-0000-4000-8000-000000000001", "com.example.läden", "Bestellung geändert", "2026-11-21T12:22:54Z", "",
			`{"name":"Zoë \ud83d\ude00 \"quoted\" \u2028","n\u0061me2":"読み","note":"half a pair: \ud83d"}`},
	}
	bodies := samples(t)
	if got, want := slices.Sorted(maps.Keys(bodies)), slices.Sorted(maps.Keys(wants)); !slices.Equal(got, want) {
		t.Fatalf("samples %q, expectations %q", got, want)
	}
	for name, w := range wants {
		got, want := delivery(bytes.Clone(bodies[name])), delivery([]byte(w.detail))
		if err := sources.EventBridge(got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, w.at)
		if err != nil {
			t.Fatal(err)
		}
		want.ID, want.Source, want.Type, want.Time, want.Replay = w.id, w.source, w.typ, at, w.replay
		if !same(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

// Without a time of its own an event keeps the delivery's, and one that is
// delivered live is no replay whatever the record said before.
func TestEventBridgeOptionalMembers(t *testing.T) {
	rec := delivery([]byte(`{"detail":{},"source":"s","detail-type":"t","id":"i"}`))
	want := delivery([]byte(`{}`))
	want.ID, want.Source, want.Type, want.Replay = "i", "s", "t", ""
	if err := sources.EventBridge(rec); err != nil || !same(rec, want) {
		t.Errorf("got %+v, %v\nwant %+v", rec, err, want)
	}
}

// Writing behind the detail does not reach the rest of the delivery's bytes.
func TestEventBridgeBodyCapacity(t *testing.T) {
	body := []byte(`{"detail":{"a":1},"source":"s","detail-type":"t","id":"i"}`)
	before := bytes.Clone(body)
	rec := delivery(body)
	if err := sources.EventBridge(rec); err != nil {
		t.Fatal(err)
	}
	_ = append(rec.Body, "XXXX"...)
	if !bytes.Equal(body, before) {
		t.Errorf("appending to the detail changed the envelope: %s", body)
	}
}

// checkFailed decodes body and checks that it fails typed, with rec as it was.
func checkFailed(t *testing.T, body []byte) *sources.EnvelopeError {
	t.Helper()
	rec := delivery(bytes.Clone(body))
	err := sources.EventBridge(rec)
	if err == nil {
		t.Fatalf("%s decoded to %+v", body, rec)
	}
	ee, ok := errors.AsType[*sources.EnvelopeError](err)
	if !ok || ee.Envelope != "EventBridge" {
		t.Fatalf("%s: error = %v (%T), want an EnvelopeError", body, err, err)
	}
	if !same(rec, delivery(body)) {
		t.Fatalf("%s: the record changed although decoding failed: %+v", body, rec)
	}
	return ee
}

// What is not a whole envelope fails and says which member was the reason.
func TestEventBridgeErrors(t *testing.T) {
	valid := map[string]string{"id": `"i"`, "source": `"s"`, "detail-type": `"t"`, "detail": `{"a":1}`, "time": `"2026-11-21T10:00:00Z"`}
	with := func(name, value string) string {
		m := maps.Clone(valid)
		if m[name] = value; value == "" {
			delete(m, name)
		}
		var members []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			members = append(members, `"`+k+`":`+m[k])
		}
		return `{` + strings.Join(members, ",") + `}`
	}
	type row struct {
		body, member string
		want         error
	}
	rows := []row{
		{``, "", sources.ErrNotEnvelope}, {`null`, "", sources.ErrNotEnvelope}, {`"{}"`, "", sources.ErrNotEnvelope},
		{`[` + with("x", "1") + `]`, "", sources.ErrNotEnvelope}, {with("x", "1") + `{}`, "", sources.ErrNotEnvelope},
		{with("x", "tru"), "", sources.ErrNotEnvelope}, {`order 17`, "", sources.ErrNotEnvelope},
		{`{}`, "id", sources.ErrNoMember}, {`{"order_id":"A-17"}`, "id", sources.ErrNoMember},
		{with("id", `"i","id":"i"`), "id", sources.ErrDuplicateMember},
		{with("id", `"i","\u0069d":"j"`), "id", sources.ErrDuplicateMember},
		{with("detail", `{},"detail":{}`), "detail", sources.ErrDuplicateMember},
		{with("x", `1,"x":1`), "x", sources.ErrDuplicateMember},
		{with("\xff", `1`), "", sources.ErrNotEnvelope},
		{with("detail", `"{}"`), "detail", sources.ErrBadMember}, {with("detail", `[]`), "detail", sources.ErrBadMember},
		{with("detail", `null`), "detail", sources.ErrBadMember},
		{with("time", `"yesterday"`), "time", sources.ErrBadMember}, {with("time", `1700000000`), "time", sources.ErrBadMember},
		{with("time", `null`), "time", sources.ErrBadMember}, {with("time", `"2026-11-21 10:00:00Z"`), "time", sources.ErrBadMember},
		{with("replay-name", `""`), "replay-name", sources.ErrBadMember}, {with("replay-name", `1`), "replay-name", sources.ErrBadMember},
	}
	for _, name := range []string{"id", "source", "detail-type", "detail"} {
		rows = append(rows, row{with(name, ""), name, sources.ErrNoMember})
	}
	for _, name := range []string{"id", "source", "detail-type"} {
		for _, v := range []string{`""`, `null`, `1`, `{}`, `["i"]`, `"\ud800"`, "\"\xff\""} {
			rows = append(rows, row{with(name, v), name, sources.ErrBadMember})
		}
	}
	for _, r := range rows {
		ee := checkFailed(t, []byte(r.body))
		if ee.Member != r.member || !errors.Is(ee, r.want) {
			t.Errorf("%s: %v (member %q), want %v of member %q", r.body, ee, ee.Member, r.want, r.member)
		}
	}
}

// A body whose envelope was stripped gets an error that says what did it.
func TestEventBridgeHint(t *testing.T) {
	for body, want := range map[string]bool{`{"order_id":"A-17"}`: true, `"OrderPlaced"`: true, `{"id":1}`: false} {
		text := checkFailed(t, []byte(body)).Error()
		if got := strings.Contains(text, "InputTransformer"); got != want {
			t.Errorf("%s: hint %v, want %v: %s", body, got, want, text)
		}
	}
}

// A body without a byte, or of white space only, is told to be empty.
func TestEventBridgeEmptyBody(t *testing.T) {
	for _, body := range []string{"", " \n"} {
		if text := checkFailed(t, []byte(body)).Error(); !strings.Contains(text, "not a JSON object: body is empty") {
			t.Errorf("%q: got %q, want that it is empty", body, text)
		}
	}
}

// An event that was cut off anywhere is an error, never a panic or a record.
func TestEventBridgeTruncated(t *testing.T) {
	for name, body := range samples(t) {
		body = bytes.TrimSpace(body)
		for n := range body {
			if ee := checkFailed(t, body[:n]); !errors.Is(ee, sources.ErrNotEnvelope) {
				t.Errorf("%s cut off at %d: %v", name, n, ee)
			}
		}
	}
}

// Whatever is decoded, encoding/json sees the same members in it, and what
// encoding/json cannot read is not decoded.
func FuzzEventBridge(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"detail":{},"source":"s","detail-type":"t","id":"i","ID":"j"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := delivery(bytes.Clone(body))
		if err := sources.EventBridge(rec); err != nil {
			checkFailed(t, body)
			return
		}
		var m map[string]json.RawMessage // a map, since a struct would match names in any case
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%q decoded, encoding/json says %v", body, err)
		}
		for name, got := range map[string]string{"id": rec.ID, "source": rec.Source, "detail-type": rec.Type, "replay-name": rec.Replay} {
			var want string
			if raw, ok := m[name]; ok {
				if err := json.Unmarshal(raw, &want); err != nil || want == "" {
					t.Fatalf("%q decoded, its %s is %s", body, name, raw)
				}
			}
			if got != want {
				t.Fatalf("%q: %s = %q, encoding/json says %q", body, name, got, want)
			}
		}
		if !bytes.Equal(rec.Body, m["detail"]) || !json.Valid(rec.Body) || rec.Body[0] != '{' {
			t.Fatalf("%q: body = %q, encoding/json says %q", body, rec.Body, m["detail"])
		}
	})
}

// The cost of taking one envelope off.
func BenchmarkEventBridge(b *testing.B) {
	body := samples(b)["order"]
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	var rec consumer.Record
	for b.Loop() {
		rec.Body = body
		if err := sources.EventBridge(&rec); err != nil {
			b.Fatal(err)
		}
	}
}
