package lambdasource

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
)

var _ lambda.Handler = (*EventHandler)(nil)

// EventHandler is a function that is invoked with events and can say of an
// invocation only whether it failed. Make one with [EventBridge], [Scheduler],
// [SNS] or [EventBus]. It is safe for concurrent use.
type EventHandler struct {
	source source
	batch  *batch.Processor
	split  sources.Splitter
}

// EventBridge returns a handler for [lambda.Start] that runs h for each event
// that guard admits; a nil guard admits all. It panics when h is nil, an
// option is negative or not for it, or more than one Options is given.
//
// A record is what [sources.EventBridge] makes of the event; its Raw is the
// whole event, a [json.RawMessage].
func EventBridge(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *EventHandler {
	return newEventHandler(eventBridgeSource(), one(sources.EventBridge), guard, h, opts)
}

// Scheduler returns a handler for the target of a schedule of EventBridge
// Scheduler, whose Input must be as [sources.Scheduler] says. It does what
// [EventBridge] does.
func Scheduler(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *EventHandler {
	return newEventHandler(schedulerSource(), one(sources.Scheduler), guard, h, opts)
}

// SNS returns a handler for a function that a topic invokes. A record is what
// [sources.SNS] makes of a notification; its Raw is the element of the payload,
// a [json.RawMessage]. Otherwise it does what [EventBridge] does.
func SNS(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *EventHandler {
	return newEventHandler(snsSource(), sources.SNSEvent, guard, h, opts)
}

// EventBus returns a handler for a function that is the target of a custom
// event bus, with an event in each payload or an array of them. A record is
// what [sources.EventBus] makes of an event; its Raw is the whole event, a
// [json.RawMessage].
//
// The bus reads no partial response, so the invocation fails when one event
// did; the bus comes back with all, of which the guard skips what is done.
func EventBus(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *EventHandler {
	return newEventHandler(eventBusSource(), sources.EventBusBatch, guard, h, opts)
}

func newEventHandler(s source, split sources.Splitter, guard *dedupe.Guard, h consumer.Handler, opts []Options) *EventHandler {
	o := s.only(guard, h, opts)
	return &EventHandler{source: s, batch: o.processor(guard, h, o.Decode), split: split}
}

// one makes a Splitter of a Decoder for payloads that are one record.
func one(decode sources.Decoder) sources.Splitter {
	return func(rec *consumer.Record) ([]*consumer.Record, error) {
		part := *rec
		part.Raw = json.RawMessage(rec.Body)
		if err := decode(&part); err != nil {
			return nil, err
		}
		return []*consumer.Record{&part}, nil
	}
}

// Invoke handles the events of a payload and returns null when all are done,
// now or before. The error is a [PayloadError] when no event can be read, else
// a [RecordError] where there was one event and a [FailedError] where there
// were several: a permanent failure is one like any other, and so is an event
// that is in progress elsewhere, since its worker may still die.
func (h *EventHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	// A handler that ignores its context still reads its record when the
	// runtime has taken the payload's memory for the next invocation.
	recs, unread := h.split(&consumer.Record{Body: bytes.Clone(payload)})
	if unread != nil && len(recs) == 0 {
		return nil, h.source.badEvent(payload, unread)
	}
	ms := make([]message, len(recs))
	for i, rec := range recs {
		ms[i] = message{id: rec.ID, rec: *rec}
		recs[i] = &ms[i].rec
	}
	failures := failuresOf(ms, h.batch.Process(ctx, recs))
	for _, err := range errorsIn(unread) {
		ms = append(ms, message{})
		failures = append(failures, RecordError{Err: err})
	}
	switch {
	case len(failures) == 0:
		return []byte("null"), nil
	case len(ms) == 1:
		return nil, &failures[0]
	}
	return nil, newFailedError(len(ms), failures)
}

// errorsIn returns the errors that were joined.
func errorsIn(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
