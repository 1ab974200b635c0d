package sources

import (
	"bytes"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// EventBus reads one event of an EventBridge custom event bus.
//
// With SystemMetadata (a subscriber with the transformer WITH_METADATA, which
// is the one to choose) ID is its aws:EventId, Source its aws:Source, Type its
// aws:DetailType, Group its EventGroupId, and Body the exact bytes of Data, or
// the text when Data is a string. The record is Ordered when the event has a
// group and an aws:SequenceNumber; one of a FIFO queue keeps the queue's group.
//
// Without SystemMetadata (RAW, the default of a subscriber) it must be an
// event as [EventBridge] reads it. All else is an [EnvelopeError], a record of
// the bus's dead-letter queue too, which names events but holds none.
func EventBus(rec *consumer.Record) error {
	var system, data, failed []byte
	r := reader{envelope: customBus, body: rec.Body}
	err := r.read(
		member{name: "SystemMetadata", object: &system},
		member{name: "Data", value: &data},
		member{name: "failedMessages", array: &failed},
	)
	switch {
	case err != nil:
		return err
	case system == nil && failed != nil:
		return r.fail("failedMessages", ErrDeadLetter)
	case system == nil:
		return event(rec, customBus)
	case data == nil:
		return r.fail("Data", ErrNoMember)
	}
	return r.withMetadata(rec, system, data)
}

// withMetadata reads an event with SystemMetadata.
func (r *reader) withMetadata(rec *consumer.Record, system, data []byte) error {
	var id, source, typ, group, sequence, ingested string
	err := r.within("SystemMetadata", system,
		member{name: "aws:EventId", text: &id, required: true},
		member{name: "aws:Source", text: &source, empty: true},
		member{name: "aws:DetailType", text: &typ, empty: true},
		member{name: "aws:IngestionTime", text: &ingested, empty: true},
		member{name: "aws:SequenceNumber", text: &sequence, empty: true},
		member{name: "EventGroupId", text: &group, empty: true},
	)
	if err != nil {
		return err
	}
	if jsontext.Value(data).Kind() == jsontext.KindString {
		var text string
		if err := r.text(member{name: "Data", text: &text, empty: true}, data); err != nil {
			return err
		}
		data = []byte(text)
	}
	var at time.Time
	if err := at.UnmarshalText([]byte(ingested)); err == nil { // its form is not documented
		rec.Time = at
	}
	rec.ID, rec.Source, rec.Type, rec.Replay = id, source, typ, ""
	if !rec.Ordered { // else a FIFO queue carried it, whose order counts
		rec.Group, rec.Ordered = group, group != "" && sequence != ""
	}
	rec.Body = data
	return nil
}

// EventBusBatch splits the payload with which a custom event bus invokes a
// Lambda function, an event or an array of events, into events as [EventBus]
// reads them.
func EventBusBatch(rec *consumer.Record) ([]*consumer.Record, error) {
	r := reader{envelope: customBus, body: rec.Body}
	body := bytes.TrimSpace(rec.Body)
	if len(body) > 0 && body[0] == '[' {
		return r.split("", body, rec, EventBus)
	}
	part := partOf(rec, rec.Body)
	if err := EventBus(part); err != nil {
		return nil, err
	}
	return []*consumer.Record{part}, nil
}
