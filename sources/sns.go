package sources

import "github.com/onlyonce-go/onlyonce/consumer"

// SNS takes off the envelope in which an SNS topic delivers to a queue. It
// sets ID to the envelope's MessageId, which all subscriptions of the topic
// share, Source to its TopicArn, Time to its Timestamp, Attributes to its
// MessageAttributes that have a text value, and Body to its Message.
//
// A subscription with raw message delivery has no such envelope, and no
// MessageId either: it needs no Decoder, and a business field as its key.
// What is not a Notification, the confirmation of a subscription for example,
// is an [EnvelopeError].
func SNS(rec *consumer.Record) error {
	r := reader{envelope: notification, body: rec.Body}
	return r.notification(rec)
}

// notification reads the body as a notification.
func (r *reader) notification(rec *consumer.Record) error {
	var typ, id, topic, text string
	var attributes []byte
	at := rec.Time
	err := r.read(
		member{name: "Type", text: &typ, required: true},
		member{name: "MessageId", text: &id, required: true},
		member{name: "TopicArn", text: &topic, required: true},
		member{name: "Message", text: &text, required: true},
		member{name: "Timestamp", time: &at},
		member{name: "MessageAttributes", object: &attributes, null: true},
	)
	if err != nil {
		return err
	}
	if typ != "Notification" {
		return r.bad("Type", "want Notification")
	}
	texts, err := r.attributes(attributes)
	if err != nil {
		return err
	}
	rec.ID, rec.Source, rec.Time, rec.Attributes = id, topic, at, texts
	rec.Body = []byte(text)
	return nil
}

// attributes reads the message attributes of a notification.
func (r *reader) attributes(object []byte) (map[string]string, error) {
	if object == nil {
		return nil, nil
	}
	const name = "MessageAttributes"
	var texts map[string]string
	inner := reader{envelope: r.envelope, path: r.path + name + ".", body: object}
	inner.each = func(key string, value []byte) error {
		var typ, text string
		err := inner.within(key, value,
			member{name: "Type", text: &typ, required: true},
			member{name: "Value", text: &text, required: true, empty: true})
		if err != nil || typ == "Binary" {
			return err
		}
		if texts == nil {
			texts = make(map[string]string)
		}
		texts[key] = text
		return nil
	}
	return texts, inner.read()
}

// SNSEvent splits the event with which a topic invokes a Lambda function into
// its notifications, as [SNS] reads them.
func SNSEvent(rec *consumer.Record) ([]*consumer.Record, error) {
	return records(rec, notification, func(part *consumer.Record) error {
		var source string
		var object []byte
		r := reader{envelope: notification, body: part.Body}
		err := r.read(
			member{name: "EventSource", text: &source, required: true},
			member{name: "Sns", object: &object, required: true})
		if err != nil {
			return err
		}
		if source != "aws:sns" {
			return r.bad("EventSource", "want aws:sns")
		}
		inner := reader{envelope: notification, path: "Sns.", body: object}
		return inner.notification(part)
	})
}
