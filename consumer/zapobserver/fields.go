package zapobserver

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// line is the fields of one log line.
type line []zap.Field

// fields returns what e has to say, the event's name first.
func fields(e consumer.Event) []zap.Field {
	l := make(line, 0, 16)
	l.add(zap.String("event", e.EventName()))
	switch e := e.(type) {
	case consumer.Claimed:
		l.keyed(e.Record, e.Key, e.Fence)
		l.add(zap.Int("claims", e.Claims), zap.Int("failures", e.Failures), zap.Bool("took_over", e.TookOver))
	case consumer.Duplicate:
		l.keyed(e.Record, e.Key, 0)
		if !e.CompletedAt.IsZero() {
			l.add(zap.Time("completed_at", e.CompletedAt))
		}
		l.add(zap.Bool("in_process", e.InProcess))
	case consumer.InProgress:
		l.keyed(e.Record, e.Key, 0)
		if !e.Until.IsZero() {
			l.add(zap.Time("until", e.Until))
		}
	case consumer.Parked:
		l.keyed(e.Record, e.Key, 0)
	case consumer.Rejected:
		l.keyed(e.Record, e.Key, 0)
		l.err(e.Err)
	case consumer.Completed:
		l.keyed(e.Record, e.Key, e.Fence)
	case consumer.CompletionLost:
		l.keyed(e.Record, e.Key, e.Fence)
		l.err(e.Err)
	case consumer.Released:
		l.keyed(e.Record, e.Key, e.Fence)
		l.add(zap.Bool("ran", e.Ran), zap.Bool("recorded", e.Recorded))
		l.err(e.Err)
	case consumer.LeaseLost:
		l.keyed(e.Record, e.Key, e.Fence)
		l.err(e.Err)
	case consumer.Abandoned:
		l.keyed(e.Record, e.Key, 0)
	case consumer.Failed:
		l.keyed(e.Record, "", 0)
		l.err(e.Err)
	case consumer.StoreFailed:
		l.add(zap.Int("ops", e.Ops))
		l.err(e.Err)
	case consumer.RetentionShort:
		l.add(zap.Duration("retention", e.Retention), zap.Duration("needed", e.Needed))
	case consumer.BatchDone:
		l.add(zap.Int("records", e.Records), zap.Int("done", e.Done), zap.Int("failed", e.Failed), zap.Duration("took", e.Took))
	default:
		l.queue(e)
	}
	return l
}

func (l *line) add(fs ...zap.Field) { *l = append(*l, fs...) }

// text adds a text that is not empty.
func (l *line) text(name, s string) {
	if s != "" {
		l.add(zap.String(name, s))
	}
}

// keyed adds what identifies a record and its claim: never its body, its
// attributes or its raw value.
func (l *line) keyed(rec *consumer.Record, key string, fence int64) {
	if rec != nil {
		l.text("record_id", rec.ID)
		l.text("message_id", rec.MessageID)
		l.text("source", rec.Source)
		l.text("type", rec.Type)
		l.text("group", rec.Group)
		l.text("replay", rec.Replay)
		if rec.Attempt != 0 {
			l.add(zap.Int("attempt", rec.Attempt))
		}
	}
	l.text("key", key)
	if fence != 0 {
		l.add(zap.Int64("fence", fence))
	}
}

// err adds an error and what it says about the record's way on.
func (l *line) err(err error) {
	if err == nil {
		return
	}
	l.add(zap.String("err", fmt.Sprint(err))) // err.Error panics where a nil pointer is the error
	if consumer.IsPermanent(err) {
		l.add(zap.Bool("permanent", true))
	}
	if retry, ok := errors.AsType[*consumer.RetryError](err); ok {
		l.add(zap.Duration("retry_after", retry.After))
	}
	if p, ok := errors.AsType[*consumer.PanicError](err); ok {
		l.add(zap.ByteString("stack", p.Stack))
	}
}
