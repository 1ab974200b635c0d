// Package zapobserver logs what happens to records with go.uber.org/zap.
//
// An [Observer] writes one line per event, never a body, and builds nothing
// for a level that is off. The field "event" holds the event's stable name;
// the message is for people and may change. Levels:
//
//	debug  claimed, completed, batch_done, received, returned, kinds that are
//	       not known here
//	info   duplicate, in_progress, released, redelivered; claimed when it took
//	       over from a worker whose lease ran out; batch_done with failures
//	warn   failed, rejected, parked, completion_lost, lease_lost, abandoned,
//	       retention_short, visibility_lost, delete_failed, dead_lettered,
//	       queue_failed, queue_unfit, paused
//	error  store_failed; dead_lettered when it failed
//
// Fields, left out where the event or the record has none: record_id,
// message_id, source, type, group, replay, attempt, key, fence, claims,
// failures, took_over, in_process, completed_at, until, ran, recorded, ops,
// retention, needed, records, done, failed, took, queue, messages, asked,
// after, reason, op, wait, why; of errors err, permanent, retry_after
// and, of a panic, stack. Times and durations are written as the logger's
// encoder does.
//
// The text of an error is logged as it is: a handler that puts data into its
// errors puts it into the log.
package zapobserver

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Observer is a [consumer.Observer] that logs. It is safe for concurrent use.
type Observer struct {
	log *zap.Logger
}

var _ consumer.Observer = (*Observer)(nil)

// New returns an Observer that logs to l. It panics when l is nil.
func New(l *zap.Logger) *Observer {
	if l == nil {
		panic("zapobserver: New needs a logger")
	}
	// The caller of Observe says nothing: it is always the same few lines.
	return &Observer{log: l.WithOptions(zap.WithCaller(false))}
}

// Observe logs e. That ctx has ended does not keep it from being logged.
func (o *Observer) Observe(_ context.Context, e consumer.Event) {
	level, msg := describe(e)
	if ce := o.log.Check(level, msg); ce != nil {
		ce.Write(fields(e)...)
	}
}

// describe returns the level and the message of e.
func describe(e consumer.Event) (zapcore.Level, string) {
	switch e := e.(type) {
	case consumer.Claimed:
		if e.TookOver {
			return zap.InfoLevel, "took over from a worker whose lease ran out"
		}
		return zap.DebugLevel, "claimed"
	case consumer.Duplicate:
		if e.InProcess {
			return zap.InfoLevel, "finished by its twin, not run"
		}
		return zap.InfoLevel, "finished before, not run"
	case consumer.InProgress:
		return zap.InfoLevel, "in progress elsewhere"
	case consumer.Parked:
		return zap.WarnLevel, "parked, needs a decision"
	case consumer.Rejected:
		return zap.WarnLevel, "not admitted"
	case consumer.Completed:
		return zap.DebugLevel, "completed"
	case consumer.CompletionLost:
		return zap.WarnLevel, "succeeded but not recorded by this worker"
	case consumer.Released:
		if e.Ran {
			return zap.InfoLevel, "given back after a run that failed"
		}
		return zap.InfoLevel, "given back without a run"
	case consumer.Failed:
		return zap.WarnLevel, "failed, comes back"
	case consumer.LeaseLost:
		return zap.WarnLevel, "lease lost"
	case consumer.Abandoned:
		return zap.WarnLevel, "handler ignores the end of its context"
	case consumer.StoreFailed:
		return zap.ErrorLevel, "store failed"
	case consumer.RetentionShort:
		return zap.WarnLevel, "retention is shorter than redelivery can take"
	case consumer.BatchDone:
		if e.Failed > 0 {
			return zap.InfoLevel, "batch done with failures"
		}
		return zap.DebugLevel, "batch done"
	}
	return describeQueue(e)
}
