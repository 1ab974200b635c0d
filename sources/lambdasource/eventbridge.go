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

var _ lambda.Handler = (*EventBridgeHandler)(nil)

// EventBridgeHandler is a function that is the target of an EventBridge rule.
// Make one with [EventBridge]. It is safe for concurrent use.
type EventBridgeHandler struct {
	batch *batch.Processor
}

// EventBridge returns a handler for [lambda.Start] that runs h for each event
// that guard admits; a nil guard admits all. It panics when h is nil, an
// option is negative or for SQS only, or more than one Options is given.
//
// A record is what [sources.EventBridge] makes of the event; its Raw is the
// whole event, a [json.RawMessage].
func EventBridge(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *EventBridgeHandler {
	o := only("EventBridge", h, opts)
	switch {
	case o.Decode != nil:
		panic("lambdasource: EventBridge: Options.Decode is for SQS only")
	case o.StopOnFailure:
		panic("lambdasource: EventBridge: Options.StopOnFailure is for SQS only")
	case o.ReportAllFailed:
		panic("lambdasource: EventBridge: Options.ReportAllFailed is for SQS only")
	}
	return &EventBridgeHandler{batch: o.processor(guard, h, nil)}
}

// Invoke handles one event and returns null when it is done, now or before.
// The error is a [PayloadError] when the payload is not an event, else a
// [RecordError]: a permanent failure is one like any other, and so is an event
// that is in progress elsewhere, since its worker may still die.
func (h *EventBridgeHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	// A handler that ignores its context still reads its record when the
	// runtime has taken the payload's memory for the next invocation.
	event := bytes.Clone(payload)
	rec := &consumer.Record{Body: event, Raw: json.RawMessage(event)}
	if err := sources.EventBridge(rec); err != nil {
		return nil, badEvent(payload, err)
	}
	failed := &RecordError{ID: rec.ID, Err: errNoOutcome}
	for _, err := range h.batch.Process(ctx, []*consumer.Record{rec}) {
		failed.Err = err
	}
	if failed.Err != nil {
		return nil, failed
	}
	return []byte("null"), nil
}
