package sources_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

func sampleOf(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// edited returns a sample with one text replaced, which must be in it.
func edited(t testing.TB, name, old, by string) string {
	t.Helper()
	body := sampleOf(t, name)
	if !strings.Contains(body, old) {
		t.Fatalf("%q is not in %s", old, name)
	}
	return strings.Replace(body, old, by, 1)
}

// What looks much like an envelope but is not what a record can be told from
// is refused, and says which member was the reason.
func TestRefused(t *testing.T) {
	for _, row := range []struct {
		kind, body, member string
		want               error
	}{
		{"sns", edited(t, "sns_order", `"Notification"`, `"SubscriptionConfirmation"`), "Type", sources.ErrBadMember},
		{"sns", edited(t, "sns_order", `"north"`, `7`), "MessageAttributes.tenant.Value", sources.ErrBadMember},
		{"sns", edited(t, "sns_order", `"tenant" :`, `"weight" :`), "MessageAttributes.weight", sources.ErrDuplicateMember},
		{"sns", edited(t, "sns_order", `22b80b92`, `\ud800`), "MessageId", sources.ErrBadMember},
		{"sns", `{"order_id":"raw delivery"}`, "Type", sources.ErrNoMember},
		{"snsevent", edited(t, "snsevent_order", `"aws:sns"`, `"aws:s3"`), "EventSource", sources.ErrBadMember},
		{"snsevent", edited(t, "snsevent_order", `"MessageId"`, `"messageId"`), "Sns.MessageId", sources.ErrNoMember},
		{"snsevent", `{"Records":[]}`, "Records", sources.ErrBadMember},
		{"scheduler", edited(t, "scheduler_nightly", `arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly`, `<aws.scheduler.schedule-arn>`), "schedule_arn", sources.ErrBadMember},
		{"scheduler", edited(t, "scheduler_nightly", `2026-11-21T02:00:00Z`, `<aws.scheduler.scheduled-time>`), "scheduled_time", sources.ErrBadMember},
		{"scheduler", `{"job":"close-books"}`, "schedule_arn", sources.ErrNoMember},
		{"onfailure", edited(t, "onfailure_eventbridge", `"RetriesExhausted"`, `"Success"`), "requestContext.condition", sources.ErrBadMember},
		{"onfailure", edited(t, "onfailure_eventbridge", `"requestPayload"`, `"KinesisBatchInfo"`), "requestPayload", sources.ErrNoMember},
		{"onfailure", edited(t, "onfailure_eventbridge", `"id":"17793124`, `"ID":"17793124`), "id", sources.ErrNoMember},
		{"eventbus", sampleOf(t, "busdlq_record"), "failedMessages", sources.ErrDeadLetter},
		{"eventbus", edited(t, "eventbus_metadata", `aws:EventId`, `aws:eventId`), "SystemMetadata.aws:EventId", sources.ErrNoMember},
		{"eventbus", edited(t, "eventbus_metadata", `"SystemMetadata"`, `"systemMetadata"`), "id", sources.ErrNoMember},
		{"eventbus", edited(t, "eventbus_metadata", `"Data"`, `"data"`), "Data", sources.ErrNoMember},
		{"eventbridge", sampleOf(t, "busdlq_record"), "id", sources.ErrNoMember},
		{"s3event", edited(t, "s3event_test", `s3:TestEvent`, `s3:ObjectCreated`), "Records", sources.ErrNoMember},
		{"s3event", edited(t, "s3event_put", `"aws:s3"`, `"aws:sqs"`), "eventSource", sources.ErrBadMember},
		{"s3event", edited(t, "s3event_put", `,"versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"`, ``), "s3.object.sequencer", sources.ErrNoMember},
		{"s3event", edited(t, "s3event_put", `"name":"amzn-s3-demo-bucket",`, ``), "s3.bucket.name", sources.ErrNoMember},
		{"s3event", `{"Records":[]}`, "Records", sources.ErrBadMember},
		{"s3event", `{"Records":[` + strings.Repeat(`{},`, 10_000) + `{}]}`, "Records", sources.ErrTooMany},
		{"kinesis", edited(t, "kinesis_order", `"aws:kinesis"`, `"aws:dynamodb"`), "eventSource", sources.ErrBadMember},
		{"kinesis", edited(t, "kinesis_order", `"sequenceNumber":"`, `"sequenceNumber":"0x`), "kinesis.sequenceNumber", sources.ErrBadMember},
		{"kinesis", edited(t, "kinesis_order", `eyJvcm`, `*`), "kinesis.data", sources.ErrBadMember},
		{"kinesis", edited(t, "kinesis_order", `1545084650.987`, `-1`), "kinesis.approximateArrivalTimestamp", sources.ErrBadMember},
		{"kinesis", edited(t, "kinesis_order", `1545084650.987`, `1e400`), "kinesis.approximateArrivalTimestamp", sources.ErrBadMember},
		{"dynamodbstream", edited(t, "dynamodbstream_insert", `"Keys":{"Id":{"N":"101"},"Tenant":{"S":"north"}}`, `"Keys":{}`), "dynamodb.Keys", sources.ErrBadMember},
		{"dynamodbstream", edited(t, "dynamodbstream_insert", `"Keys":{"Id":{"N":"101"}`, `"Keys":{"Id":{"BOOL":true}`), "dynamodb.Keys.Id", sources.ErrBadMember},
		{"dynamodbstream", edited(t, "dynamodbstream_insert", `"Tenant":{"S":"north"}`, `"Id":{"S":"north"}`), "dynamodb.Keys.Id", sources.ErrDuplicateMember},
		{"dynamodbstream", edited(t, "dynamodbstream_insert", `44215845`, `-4421`), "dynamodb.SequenceNumber", sources.ErrBadMember},
	} {
		recs, err := readers()[row.kind](delivery([]byte(row.body)))
		ee, ok := errors.AsType[*sources.EnvelopeError](err)
		if !ok || ee.Member != row.member || !errors.Is(err, row.want) || len(recs) > 0 {
			t.Errorf("%s %.300s:\n got %d records, %v, want %v of %q", row.kind, row.body, len(recs), err, row.want, row.member)
		}
	}
}

// Records of a notification beside a broken one are there, and so is what is
// wrong; where records keep order nothing behind it is.
func TestSplitBesideBroken(t *testing.T) {
	good := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(sampleOf(t, "s3event_put")), `{"Records":[`), `]}`)
	recs, err := sources.S3Event(&consumer.Record{Body: []byte(`{"Records":[` + good + `,{},` + strings.Replace(good, "HappyFace", "Other", 1) + `]}`)})
	if len(recs) != 2 || !errors.Is(err, sources.ErrNoMember) || !strings.Contains(err.Error(), "number 2") || recs[0].ID == recs[1].ID {
		t.Errorf("got %d records and %v, want two and what is wrong with the second", len(recs), err)
	}
	inGroup := func(id string) string { return strings.Replace(sampleOf(t, "eventbus_group"), "b222", id, 1) }
	plain := sampleOf(t, "eventbus_metadata")
	body := `[` + inGroup("1") + `,{},` + inGroup("2") + `,` + plain + `]`
	recs, err = sources.EventBusBatch(&consumer.Record{Body: []byte(body)})
	if len(recs) != 2 || !strings.HasSuffix(recs[0].ID, "1") || recs[0].Group != "order-17" || !recs[0].Ordered || recs[1].Ordered || err == nil {
		t.Errorf("got %+v and %v, want the first event and the last, which keeps no order", recs, err)
	}
}

// The payload of a custom event bus is an event or an array of them.
func TestEventBusBatch(t *testing.T) {
	a, b := sampleOf(t, "eventbus_metadata"), sampleOf(t, "eventbus_raw")
	for body, want := range map[string]int{
		a: 1, b: 1, " [" + a + "]": 1, `[` + a + `,` + b + `]`: 2,
		`[]`: 0, ``: 0, `null`: 0, `7`: 0, `[null]`: 0, `[[` + a + `]]`: 0, `{"Records":[` + a + `]}`: 0,
		`[` + a: 0, `[` + a + `,]`: 0, `[` + a + `]]`: 0, `[` + sampleOf(t, "busdlq_record") + `]`: 0,
	} {
		recs, err := sources.EventBusBatch(&consumer.Record{Body: []byte(body)})
		if len(recs) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %d records and %v, want %d", body, len(recs), err, want)
		}
		if _, ok := errors.AsType[*sources.EnvelopeError](err); err != nil && !ok {
			t.Errorf("%s: got %T, want an EnvelopeError", body, err)
		}
	}
}

// Parts that differ never make one identity, wherever the border between them
// is.
func TestIdentityOfParts(t *testing.T) {
	seen := map[string]string{}
	for _, bucket := range []string{`a`, `a|`, `a\`, `a\|b`, `a|b`} {
		for _, key := range []string{`a`, `|a`, `b|c`, `\`, `\|`, `b`} {
			for _, version := range []string{`"versionId":"1"`, `"sequencer":"1"`, `"versionId":"1","sequencer":"1"`, `"versionId":"|1"`} {
				quote := strings.NewReplacer(`\`, `\\`).Replace
				body := `{"Records":[{"eventSource":"aws:s3","eventName":"e","s3":{"bucket":{"name":"` + quote(bucket) + `"},"object":{"key":"` + quote(key) + `",` + version + `}}}]}`
				recs, err := sources.S3Event(&consumer.Record{Body: []byte(body)})
				if err != nil {
					t.Fatal(err)
				}
				if other, taken := seen[recs[0].ID]; taken {
					t.Errorf("%s\nand %s\nare both %s", body, other, recs[0].ID)
				}
				seen[recs[0].ID] = body
			}
		}
	}
}

// The same schedule at the same instant is one identity, however it is
// spelled; another instant, or another schedule, is another.
func TestSchedulerInstant(t *testing.T) {
	id := func(old, by string) string {
		rec := delivery([]byte(edited(t, "scheduler_nightly", old, by)))
		if err := sources.Scheduler(rec); err != nil {
			t.Fatal(err)
		}
		return rec.ID
	}
	plain := id("Z", "Z")
	if got := id("02:00:00Z", "03:00:00+01:00"); got != plain {
		t.Errorf("got %q for the same instant, want %q", got, plain)
	}
	for old, by := range map[string]string{"02:00:00Z": "02:00:01Z", "nightly": "daily"} {
		if got := id(old, by); got == plain {
			t.Errorf("got %q with %s too", got, by)
		}
	}
}

// One item is one group however its key is written down, and each item is its
// own.
func TestDynamoDBStreamGroup(t *testing.T) {
	group := func(by string) string {
		rec := delivery([]byte(edited(t, "dynamodbstream_insert", `"Keys":{"Id":{"N":"101"},"Tenant":{"S":"north"}}`, `"Keys":`+by)))
		if err := sources.DynamoDBStream(rec); err != nil {
			t.Fatal(err)
		}
		return rec.Group
	}
	plain := group(`{"Id":{"N":"101"},"Tenant":{"S":"north"}}`)
	if got := group(`{ "Tenant":{"S":"n\u006frth"}, "Id":{"N":"101"} }`); got != plain {
		t.Errorf("got %q, want %q", got, plain)
	}
	for _, other := range []string{`{"Id":{"N":"102"},"Tenant":{"S":"north"}}`, `{"Id":{"S":"101"},"Tenant":{"S":"north"}}`, `{"Id":{"N":"101"}}`} {
		if got := group(other); got == plain {
			t.Errorf("got %q for %s too", got, other)
		}
	}
}

// Envelopes come off in the order that was named; when the inner one is not
// there the record stays as it was, the outer one still on.
func TestChain(t *testing.T) {
	both := sources.Chain(sources.SNS, sources.EventBridge)
	rec := delivery([]byte(sampleOf(t, "sns_eventbridge")))
	if err := both(rec); err != nil || rec.ID != "17793124-05d4-b198-2fde-7ededc63b103" || string(rec.Body) != `{"order_id":"A-17"}` || rec.Type != "OrderPlaced" {
		t.Errorf("got %+v, %v, want the event inside", rec, err)
	}
	body := []byte(sampleOf(t, "sns_order"))
	rec = delivery(body)
	if ee, ok := errors.AsType[*sources.EnvelopeError](both(rec)); !ok || ee.Envelope != "EventBridge" || !same(rec, delivery(body)) {
		t.Errorf("got %v and %+v, want that EventBridge's is missing, and no change", ee, rec)
	}
	for _, make := range []func(){func() { sources.Chain() }, func() { sources.Chain(sources.SNS, nil) }} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, "sources: Chain") {
					t.Errorf("got panic %q", v)
				}
			}()
			make()
		}()
	}
}

// Parts share no map with the record they come from, nor with each other.
func TestPartsShareNothing(t *testing.T) {
	rec := delivery([]byte(sampleOf(t, "s3event_two")))
	parts, err := sources.S3Event(rec)
	if err != nil || len(parts) != 2 {
		t.Fatal(err)
	}
	parts[0].Attributes["a"] = "changed"
	_ = append(parts[0].Body, "XXXX"...)
	if parts[1].Attributes["a"] != "b" || !same(rec, delivery([]byte(sampleOf(t, "s3event_two")))) {
		t.Errorf("got %+v and %+v", parts[1], rec)
	}
}
