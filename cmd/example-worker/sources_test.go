package main

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// genuine returns an event as AWS sends it.
func genuine(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	body, err := os.ReadFile("../../sources/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.NewReplacer(oldnew...).Replace(string(body)))
}

// inList makes a payload of records.
func inList(records ...string) string { return `{"Records":[` + strings.Join(records, ",") + `]}` }

// queued is a text as an SQS batch of one message.
func queued(t *testing.T, id, body string) string { return string(batch(t, id, body)) }

// piped is a text as a pipe's array of one message.
func piped(t *testing.T, id, body string) string {
	return strings.TrimSuffix(strings.TrimPrefix(queued(t, id, body), `{"Records":`), `}`)
}

// work is what a source delivers.
type work struct {
	first, again, other string // payloads: a delivery, another one of the same work, and other work
	body                string // what the work is done with
	failure             string // how a failed delivery is answered; "all: " is an error of the invocation
}

// everySource returns a real delivery of each source.
func everySource(t *testing.T) map[string]work {
	const order = `{"order_id":"A-17"}`
	const id, bus = "17793124-05d4-b198-2fde-7ededc63b103", "0f6a9a4c-7d0b-4b6a-9d35-0d6cf5a0b111"
	const topic, fanout = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "49590338271490256608559692538361571095921575989136588898"
	inner := genuine(t, "onfailure_eventbridge")
	inner = inner[strings.Index(inner, `"requestPayload":`)+len(`"requestPayload":`) : strings.Index(inner, `,"responseContext"`)]
	rule := func(event string) string { return strings.Replace(inner, id, event, 1) }
	sns := func(name string, oldnew ...string) string { return genuine(t, name, oldnew...) }
	s3 := genuine(t, "s3event_put")
	stream := genuine(t, "dynamodbstream_insert")
	return map[string]work{
		"sqs":             {queued(t, "m1", order), queued(t, "m1", order), queued(t, "m2", order), order, "all: "},
		"eventbridge":     {rule(id), strings.Replace(rule(id), `"resources":[]`, `"resources":["again"]`, 1), rule("e2"), order, "all: "},
		"sqs+eventbridge": {queued(t, "m1", rule(id)), queued(t, "m2", rule(id)), queued(t, "m1", rule("e2")), order, "all: "},
		"sqs+sns": {
			queued(t, "m1", sns("sns_order")), queued(t, "m2", sns("sns_order", "EXAMPLEw6JRN", "OTHER")), queued(t, "m1", sns("sns_order", topic, "n2")),
			`{"order_id":"A-17","note":"Zürich"}`, "all: ",
		},
		"sqs+sns+eventbridge": {
			queued(t, "m1", sns("sns_eventbridge")), queued(t, "m2", sns("sns_eventbridge", "5c0e0a3a", "0")),
			queued(t, "m1", sns("sns_eventbridge", id, "e2")), order, "all: ",
		},
		"sns":               {sns("snsevent_order"), sns("snsevent_order", "21be56ed", "0"), sns("snsevent_order", "95df01b4", "0"), order, "all: "},
		"pipes":             {piped(t, "m1", order), piped(t, "m1", order), piped(t, "m2", order), order, "all: "},
		"pipes+eventbridge": {piped(t, "m1", rule(id)), piped(t, "m2", rule(id)), `[` + rule("e2") + `]`, order, "all: "},
		"scheduler": {
			genuine(t, "scheduler_nightly"), genuine(t, "scheduler_nightly", `"attempt":"1"`, `"attempt":"2"`), genuine(t, "scheduler_nightly", "T02", "T03"),
			`{"job":"close-books","day":"2026-11-20"}`, "all: ",
		},
		"sqs+scheduler": {
			queued(t, "m1", genuine(t, "scheduler_nightly")), queued(t, "m2", genuine(t, "scheduler_nightly")), queued(t, "m1", genuine(t, "scheduler_nightly", "nightly", "n2")),
			`{"job":"close-books","day":"2026-11-20"}`, "all: ",
		},
		"eventbus": {
			genuine(t, "eventbus_metadata"), `[` + genuine(t, "eventbus_metadata", "LIVE", "REPLAY") + `]`, genuine(t, "eventbus_metadata", bus, "b2"),
			`{"order_id":"A-17","total":12.50}`, "all: ",
		},
		"sqs+s3": {
			queued(t, "m1", s3), queued(t, "m2", s3), queued(t, "m1", strings.Replace(s3, "nfljtsv6qko", "other", 1)),
			strings.TrimSuffix(strings.TrimPrefix(s3, `{"Records":[`), `]}`), "all: ",
		},
		"kinesis": {
			inList(genuine(t, "kinesis_order")), inList(genuine(t, "kinesis_order", "/orders", "/orders/consumer/fast:1")),
			inList(genuine(t, "kinesis_order", fanout, "49590338271490256608559692538361571095921575989136588899")), order, fanout,
		},
		"dynamodb-stream": {
			inList(stream), inList(stream), inList(strings.Replace(stream, "c4ca4238", "0", 1)), stream, "4421584500000000017450439091",
		},
	}
}

// For every source: a delivery whose work fails is answered so that it comes
// again, under the same key with a larger fencing number; once done, another
// delivery of the same work is skipped, whatever its envelope; and work with
// another identity is done.
func TestEverySource(t *testing.T) {
	all := everySource(t)
	if len(all) != len(sourceNames())-1 { // apigateway has requests: see TestHTTPAPIGateway
		t.Errorf("got %d sources, want all of %q but apigateway", len(all), sourceNames())
	}
	for name, w := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var works atomic.Bool
			next := newNextSystem(t, func(call) int {
				if works.Load() {
					return http.StatusOK
				}
				return http.StatusInternalServerError
			})
			f := startFunction(t, 1, "STORE=memory:", "SOURCE="+name, "EFFECT_URL="+next.url)
			if got := f.failed(t, []byte(w.first)); got != w.failure && (w.failure != "all: " || !strings.Contains(got, "status 500")) {
				t.Errorf("failed: got %q, want %q", got, w.failure)
			}
			works.Store(true)
			for i, payload := range []string{w.first, w.first, w.again} {
				if got := f.failed(t, []byte(payload)); got != "" {
					t.Errorf("delivery %d: got failures %q", i, got)
				}
			}
			calls := next.all()
			if len(calls) != 2 {
				t.Errorf("got %d calls, want the one that failed and one more", len(calls))
			}
			checkFences(t, calls)
			if got := f.failed(t, []byte(w.other)); got != "" || len(next.all()) != 3 {
				t.Errorf("other work: got failures %q and %d calls, want one more", got, len(next.all()))
			}
			for _, c := range next.all()[:2] {
				if c.body != w.body {
					t.Errorf("got body %q, want %q", c.body, w.body)
				}
			}
			if got := f.failed(t, []byte(`{"order_id":"A-17"}`)); !strings.HasPrefix(got, "all: PayloadError") {
				t.Errorf("got %q for something else, want a PayloadError", got)
			}
		})
	}
}

// Under reprocess each replay runs an event once more behind a topic and a
// queue as well, and in a pipe.
func TestReprocessInside(t *testing.T) {
	for source, wrap := range map[string]func(id, event string) string{
		"sqs+sns+eventbridge": func(id, event string) string {
			return queued(t, id, genuine(t, "sns_eventbridge", `\"version\"`, event+`\"version\"`))
		},
		"pipes+eventbridge": func(id, event string) string {
			return piped(t, id, genuine(t, "eventbridge_order", `"version"`, strings.ReplaceAll(event, `\`, "")+`"version"`))
		},
	} {
		next := newNextSystem(t, func(call) int { return http.StatusOK })
		f := startFunction(t, 1, "STORE=memory:", "SOURCE="+source, "REPLAY=reprocess", "EFFECT_URL="+next.url)
		for i, event := range []string{"", "", `\"replay-name\":\"r1\",`, `\"replay-name\":\"r1\",`, `\"replay-name\":\"r2\",`} {
			if got := f.failed(t, []byte(wrap(string(rune('a'+i)), event))); got != "" {
				t.Errorf("%s: got failures %q", source, got)
			}
		}
		if n := len(next.all()); n != 3 {
			t.Errorf("%s: got %d calls, want one live and one for each of two replays", source, n)
		}
	}
}

// Each record of S3 in a message has its own key; the message is acknowledged
// when all are done, and the test event at once.
func TestS3(t *testing.T) {
	var works atomic.Bool
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "old.csv") && !works.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=sqs+s3", "EFFECT_URL="+next.url)
	broken := genuine(t, "s3event_two", `"name":"orders"},"object":{"key":"in/old`, `"arn":"orders"},"object":{"key":"in/old`, "a|b", "c")
	payload := batch(t, "m1", genuine(t, "s3event_two"), "m2", genuine(t, "s3event_test"), "m3", broken)
	if got := f.failed(t, payload); got != "m1 m3" {
		t.Errorf("got failures %q, want m1 and m3", got)
	}
	works.Store(true)
	if got := f.failed(t, payload); got != "m3" || len(next.all()) != 4 {
		t.Errorf("got failures %q and %d calls, want m3 and the record that failed once more", got, len(next.all()))
	}
}

// Behind a failure nothing of its key runs, other keys go on, and the lowest
// sequence number that failed is reported, compared as a number.
func TestStreams(t *testing.T) {
	kinesis := func(sequence, key string) string {
		return genuine(t, "kinesis_order", "49590338271490256608559692538361571095921575989136588898", sequence, `"order-17"`, `"`+key+`"`,
			"eyJvcmRlcl9pZCI6IkEtMTcifQ==", map[string]string{"9": "Ymlu", "10": "YmFk", "11": "b25l", "12": "dHdv", "13": "c2l4"}[sequence])
	}
	dynamo := func(sequence, key string) string {
		mark := map[string]string{"9": "bin", "10": "bad", "11": "one", "12": "two", "13": "six"}[sequence]
		return genuine(t, "dynamodbstream_insert", "4421584500000000017450439091", sequence, `"N":"101"`, `"S":"`+key+`"`, "c4ca4238", "id"+sequence, "New item!", mark)
	}
	for source, record := range map[string]func(sequence, key string) string{"kinesis": kinesis, "dynamodb-stream": dynamo} {
		var works atomic.Bool
		next := newNextSystem(t, func(c call) int {
			if (strings.Contains(c.body, "bad") || strings.Contains(c.body, "bin")) && !works.Load() {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		})
		f := startFunction(t, 1, "STORE=memory:", "SOURCE="+source, "EFFECT_URL="+next.url)
		payload := []byte(inList(record("9", "a"), record("10", "b"), record("11", "c"), record("12", "b"), record("13", "a")))
		if got := f.failed(t, payload); got != "9" {
			t.Errorf("%s: got %q reported, want 9", source, got)
		}
		if n := len(next.all()); n != 3 {
			t.Errorf("%s: got %d calls, want those of 9, 10 and 11", source, n)
		}
		works.Store(true)
		if got := f.failed(t, payload); got != "" {
			t.Errorf("%s: got %q reported", source, got)
		}
		var last string
		for _, c := range next.all()[3:] {
			for _, mark := range []string{"bin", "bad", "one", "two", "six"} {
				if strings.Contains(c.body, mark) {
					last += mark + " "
				}
			}
		}
		if len(last) != 16 || strings.Contains(last, "one") || strings.Index(last, "bad") > strings.Index(last, "two") || strings.Index(last, "bin") > strings.Index(last, "six") {
			t.Errorf("%s: got calls %q the second time, want bad before two and bin before six", source, last)
		}
	}
}

// Of an array of a custom event bus one failure fails the invocation, and the
// others are not done again; a dead-letter record of the bus is no work.
func TestEventBus(t *testing.T) {
	var works atomic.Bool
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "bad") && !works.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	f := startFunction(t, 1, "STORE=memory:", "SOURCE=eventbus", "EFFECT_URL="+next.url)
	payload := []byte(`[` + genuine(t, "eventbus_metadata") + `,` + genuine(t, "eventbus_metadata", "A-17", "bad", "0f6a9a4c", "1") + `,` + genuine(t, "eventbus_raw") + `]`)
	if got := f.failed(t, payload); !strings.Contains(got, "1 of 3 records failed") {
		t.Errorf("got %q, want that one of three failed", got)
	}
	works.Store(true)
	if got := f.failed(t, payload); got != "" || len(next.all()) != 4 {
		t.Errorf("got failures %q and %d calls, want one more", got, len(next.all()))
	}
	for _, payload := range []string{genuine(t, "busdlq_record"), `[` + genuine(t, "busdlq_record") + `]`, `[]`, `{"Data":{}}`} {
		if got := f.failed(t, []byte(payload)); !strings.HasPrefix(got, "all: PayloadError") || len(next.all()) != 4 {
			t.Errorf("%.40s: got %q and %d calls, want an error and no work", payload, got, len(next.all()))
		}
	}
}
