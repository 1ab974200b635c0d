package zapobserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
)

const secret = "s3cret-payload"

var (
	at  = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	rec = &consumer.Record{
		ID: "e-1", MessageID: "m-1", Source: "arn:q", Type: "OrderPlaced", Group: "g", Replay: "r", Attempt: 2,
		Attributes: map[string]string{"a": secret}, Body: []byte(secret), Raw: secret,
	}
)

// fieldMap maps names to values, with what every line of rec has in it.
func fieldMap(pairs ...any) map[string]any {
	m := map[string]any{
		"record_id": "e-1", "message_id": "m-1", "source": "arn:q", "type": "OrderPlaced", "group": "g", "replay": "r",
		"attempt": int64(2), "key": "k",
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func without(m map[string]any, name string) map[string]any {
	delete(m, name)
	return m
}

// every is one of each event, with the level and the fields that it must have.
var every = []struct {
	event consumer.Event
	level zapcore.Level
	want  map[string]any
}{
	{consumer.Claimed{Record: rec, Key: "k", Fence: 7, Claims: 3, Failures: 1}, zap.DebugLevel,
		fieldMap("fence", int64(7), "claims", int64(3), "failures", int64(1), "took_over", false)},
	{consumer.Claimed{Record: rec, Key: "k", Fence: 7, Claims: 2, TookOver: true}, zap.InfoLevel,
		fieldMap("fence", int64(7), "claims", int64(2), "failures", int64(0), "took_over", true)},
	{consumer.Duplicate{Record: rec, Key: "k", CompletedAt: at}, zap.InfoLevel, fieldMap("completed_at", at, "in_process", false)},
	{consumer.Duplicate{Record: rec, Key: "k", InProcess: true}, zap.InfoLevel, fieldMap("in_process", true)},
	{consumer.InProgress{Record: rec, Key: "k", Until: at}, zap.InfoLevel, fieldMap("until", at)},
	{consumer.Parked{Record: rec, Key: "k"}, zap.WarnLevel, fieldMap()},
	{consumer.Rejected{Record: rec, Key: "k", Err: io.EOF}, zap.WarnLevel, fieldMap("err", "EOF")},
	{consumer.Completed{Record: rec, Key: "k", Fence: 7}, zap.DebugLevel, fieldMap("fence", int64(7))},
	{consumer.CompletionLost{Record: rec, Key: "k", Fence: 7, Err: io.EOF}, zap.WarnLevel, fieldMap("fence", int64(7), "err", "EOF")},
	{consumer.Released{Record: rec, Key: "k", Fence: 7, Err: io.EOF}, zap.InfoLevel, fieldMap("fence", int64(7), "ran", false, "recorded", false, "err", "EOF")},
	{consumer.Released{Record: rec, Key: "k", Fence: 7, Ran: true, Recorded: true, Err: consumer.Permanent(io.EOF)}, zap.InfoLevel,
		fieldMap("fence", int64(7), "ran", true, "recorded", true, "err", "permanent: EOF", "permanent", true)},
	{consumer.Failed{Record: rec, Err: fmt.Errorf("w: %w", consumer.RetryAfter(time.Second, io.EOF))}, zap.WarnLevel,
		without(fieldMap("err", "w: EOF (retry after 1s)", "retry_after", time.Second), "key")},
	{consumer.Failed{Record: rec, Err: &consumer.PanicError{Value: "x", Stack: []byte("main.go:7")}}, zap.WarnLevel,
		without(fieldMap("err", "panicked: x", "stack", "main.go:7"), "key")},
	{consumer.LeaseLost{Record: rec, Key: "k", Fence: 7, Err: io.EOF}, zap.WarnLevel, fieldMap("fence", int64(7), "err", "EOF")},
	{consumer.Abandoned{Record: rec, Key: "k"}, zap.WarnLevel, fieldMap()},
	{consumer.StoreFailed{Ops: 4, Err: io.EOF}, zap.ErrorLevel, map[string]any{"ops": int64(4), "err": "EOF"}},
	{consumer.RetentionShort{Retention: time.Hour, Needed: 2 * time.Hour}, zap.WarnLevel, map[string]any{"retention": time.Hour, "needed": 2 * time.Hour}},
	{consumer.BatchDone{Records: 3, Done: 3, Took: time.Second}, zap.DebugLevel,
		map[string]any{"records": int64(3), "done": int64(3), "failed": int64(0), "took": time.Second}},
	{consumer.BatchDone{Records: 3, Done: 2, Failed: 1, Took: time.Second}, zap.InfoLevel,
		map[string]any{"records": int64(3), "done": int64(2), "failed": int64(1), "took": time.Second}},
	{consumer.Received{Queue: "q", Messages: 3, Asked: 10, Took: time.Second}, zap.DebugLevel,
		map[string]any{"queue": "q", "messages": int64(3), "asked": int64(10), "took": time.Second}},
	{consumer.Redelivered{Record: rec}, zap.InfoLevel, without(fieldMap(), "key")},
	{consumer.Returned{Record: rec, After: time.Second, Err: io.EOF}, zap.DebugLevel, without(fieldMap("after", time.Second, "err", "EOF"), "key")},
	{consumer.VisibilityLost{Record: rec, Err: io.EOF}, zap.WarnLevel, without(fieldMap("err", "EOF"), "key")},
	{consumer.DeleteFailed{Record: rec, Err: io.EOF}, zap.WarnLevel, without(fieldMap("err", "EOF"), "key")},
	{consumer.DeadLettered{Record: rec, Queue: "d", Reason: io.EOF}, zap.WarnLevel, without(fieldMap("queue", "d", "reason", "EOF"), "key")},
	{consumer.DeadLettered{Record: rec, Queue: "d", Reason: io.EOF, Err: io.ErrNoProgress}, zap.ErrorLevel,
		without(fieldMap("queue", "d", "reason", "EOF", "err", io.ErrNoProgress.Error()), "key")},
	{consumer.QueueFailed{Queue: "q", Op: "ReceiveMessage", Err: io.EOF, Wait: time.Second}, zap.WarnLevel,
		map[string]any{"queue": "q", "op": "ReceiveMessage", "err": "EOF", "wait": time.Second}},
	{consumer.QueueUnfit{Queue: "q", Why: "w"}, zap.WarnLevel, map[string]any{"queue": "q", "why": "w"}},
	{consumer.Paused{Queue: "q", Err: io.EOF, Wait: time.Second}, zap.WarnLevel, map[string]any{"queue": "q", "err": "EOF", "wait": time.Second}},
	{news{}, zap.DebugLevel, map[string]any{}},
}

// news is a kind of event that this release does not know.
type news struct{}

func (news) EventName() string { return "news" }

// Every event has its level, its name in the field "event" and exactly its
// own fields.
func TestEvents(t *testing.T) {
	for _, c := range every {
		core, logs := observer.New(zap.DebugLevel)
		zapobserver.New(zap.New(core)).Observe(t.Context(), c.event)
		entries := logs.All()
		if len(entries) != 1 {
			t.Fatalf("%+v: %d lines, want 1", c.event, len(entries))
		}
		if entries[0].Level != c.level {
			t.Errorf("%s: level %v, want %v", c.event.EventName(), entries[0].Level, c.level)
		}
		want := maps.Clone(c.want)
		want["event"] = c.event.EventName()
		if got := entries[0].ContextMap(); !maps.Equal(got, want) {
			t.Errorf("%s: fields\n got %v\nwant %v", c.event.EventName(), got, want)
		}
	}
}

// Bodies, attributes and raw values never reach the log.
func TestNoPayload(t *testing.T) {
	var out strings.Builder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
	o := zapobserver.New(zap.New(core))
	for _, c := range every {
		o.Observe(t.Context(), c.event)
	}
	if lines := strings.Count(out.String(), "\n"); lines != len(every) {
		t.Errorf("%d lines for %d events", lines, len(every))
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("payload in the log:\n%s", out.String())
	}
}

// What a record does not have leaves no field behind, and a missing record or
// error is no reason to fail.
func TestSparseEvents(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	o := zapobserver.New(zap.New(core))
	o.Observe(t.Context(), consumer.Completed{Record: &consumer.Record{ID: "1"}, Key: "k", Fence: 1})
	o.Observe(t.Context(), consumer.Rejected{})
	for i, want := range [][]string{{"event", "fence", "key", "record_id"}, {"event"}} {
		if got := slices.Sorted(maps.Keys(logs.All()[i].ContextMap())); !slices.Equal(got, want) {
			t.Errorf("line %d has the fields %q, want %q", i, got, want)
		}
	}
}

// An event is logged although its context has ended.
func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	core, logs := observer.New(zap.DebugLevel)
	zapobserver.New(zap.New(core)).Observe(ctx, consumer.StoreFailed{Ops: 1, Err: io.EOF})
	if logs.Len() != 1 {
		t.Errorf("%d lines, want 1", logs.Len())
	}
}

// A level that is off costs no memory.
func TestDisabledAllocations(t *testing.T) {
	core, logs := observer.New(zap.FatalLevel)
	o := zapobserver.New(zap.New(core))
	for _, c := range every {
		if n := testing.AllocsPerRun(100, func() { o.Observe(t.Context(), c.event) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.event.EventName(), n)
		}
	}
	if logs.Len() != 0 {
		t.Errorf("%d lines at a level that is off", logs.Len())
	}
}

// New without a logger panics when it is wired.
func TestNewPanics(t *testing.T) {
	defer func() {
		if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "zapobserver: ") {
			t.Errorf("panic = %q, want a text of this package", text)
		}
	}()
	zapobserver.New(nil)
}
