package sources

import "github.com/onlyonce-go/onlyonce/consumer"

// A Decoder takes one envelope off a record: it reads rec.Body and sets what
// the envelope says. When it fails it has changed nothing in rec. It is
// called from several goroutines at once, with different records.
type Decoder func(rec *consumer.Record) error

var _ Decoder = EventBridge

// EventBridge takes off the envelope of an event of an EventBridge event bus
// (classic). It sets ID, Source and Type to the envelope's id, source and
// detail-type, Time to its time if it has one, Replay to its replay-name,
// empty on live deliveries, and Body to the exact bytes of its detail.
// MessageID, Group, Ordered and all others stay: they belong to the delivery.
//
// The envelope must be one JSON object in which no member occurs twice; id,
// source and detail-type must be strings that are not empty, detail an
// object, time, if there, in RFC 3339. Other members are passed over. All
// else is an [EnvelopeError].
//
// A rule's target passes this envelope on unless it has an Input, InputPath
// or InputTransformer.
func EventBridge(rec *consumer.Record) error {
	var event struct {
		id, source, typ, replay, sent string
		detail                        []byte
	}
	r := reader{envelope: eventBridge, body: rec.Body}
	err := r.read(
		member{name: "id", text: &event.id, required: true},
		member{name: "source", text: &event.source, required: true},
		member{name: "detail-type", text: &event.typ, required: true},
		member{name: "detail", object: &event.detail, required: true},
		member{name: "time", text: &event.sent},
		member{name: "replay-name", text: &event.replay},
	)
	if err != nil {
		return err
	}
	at := rec.Time
	if event.sent != "" {
		if err := at.UnmarshalText([]byte(event.sent)); err != nil { // stricter than time.Parse
			return r.bad("time", "want a time such as 2026-11-21T10:00:00Z")
		}
	}
	rec.ID, rec.Source, rec.Type, rec.Replay = event.id, event.source, event.typ, event.replay
	rec.Time = at
	rec.Body = event.detail
	return nil
}
