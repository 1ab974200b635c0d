package sources

import (
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// A Decoder takes one envelope off a record: it reads rec.Body and sets what
// the envelope says. When it fails it has changed nothing in rec. It is
// called from several goroutines at once, with different records.
type Decoder func(rec *consumer.Record) error

// Chain returns a Decoder that takes off several envelopes, the outermost one
// first: Chain(SNS, EventBridge) reads an event that a rule sent to a topic
// and the topic to a queue. It panics when there is none or one is nil.
func Chain(ds ...Decoder) Decoder {
	if len(ds) == 0 {
		panic("sources: Chain needs a Decoder")
	}
	for i, d := range ds {
		if d == nil {
			panic(fmt.Sprintf("sources: Chain: Decoder %d is nil", i))
		}
	}
	ds = append([]Decoder(nil), ds...)
	return func(rec *consumer.Record) error {
		inner := *rec
		for _, d := range ds {
			if err := d(&inner); err != nil {
				return err
			}
		}
		*rec = inner
		return nil
	}
}

var _ = []Decoder{EventBridge, SNS, Scheduler, OnFailure, EventBus, Kinesis, DynamoDBStream}

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
func EventBridge(rec *consumer.Record) error { return event(rec, eventBridge) }

// event takes off an event's envelope; envelope is what errors call it.
func event(rec *consumer.Record, envelope string) error {
	var id, source, typ, replay string
	var detail []byte
	at := rec.Time
	r := reader{envelope: envelope, body: rec.Body}
	err := r.read(
		member{name: "id", text: &id, required: true},
		member{name: "source", text: &source, required: true},
		member{name: "detail-type", text: &typ, required: true},
		member{name: "detail", object: &detail, required: true},
		member{name: "time", time: &at},
		member{name: "replay-name", text: &replay},
	)
	if err != nil {
		return err
	}
	rec.ID, rec.Source, rec.Type, rec.Replay = id, source, typ, replay
	rec.Time = at
	rec.Body = detail
	return nil
}
