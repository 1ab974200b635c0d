package sources

import "github.com/onlyonce-go/onlyonce/consumer"

// OnFailure takes off what Lambda puts around an event that a function could
// not handle when it sends it to the function's on-failure destination. Body
// is the exact bytes of requestPayload, the event as the function got it;
// nothing else changes. Chain it with what the function reads, so that the
// event keeps its identity: Chain(OnFailure, EventBridge), or with the
// [Splitter] of the source.
//
// A record about a success is refused, and so is one without the event: what
// Lambda writes about a batch of a stream only says where it was.
//
// The dead-letter queue of an EventBridge rule and that of a function hold
// the event itself: [EventBridge] reads them.
func OnFailure(rec *consumer.Record) error {
	var about, payload []byte
	var condition string
	r := reader{envelope: onFailure, body: rec.Body}
	err := r.read(
		member{name: "requestContext", object: &about, required: true},
		member{name: "requestPayload", value: &payload, required: true},
	)
	if err == nil {
		err = r.within("requestContext", about, member{name: "condition", text: &condition, required: true})
	}
	switch {
	case err != nil:
		return err
	case condition == "Success":
		return r.bad("requestContext.condition", "want a failure")
	}
	rec.Body = payload
	return nil
}
