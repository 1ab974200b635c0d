package sources

import (
	"errors"
	"fmt"
)

// Errors of records that are not in the envelope that they should be in,
// inside an [EnvelopeError].
var (
	// ErrNotEnvelope is returned when the body is not one JSON object.
	ErrNotEnvelope = errors.New("not a JSON object")

	// ErrNoMember is returned when a member that the envelope must have is
	// missing.
	ErrNoMember = errors.New("missing")

	// ErrBadMember is returned when a member is not of the type or the form
	// that it must have; an empty string never is.
	ErrBadMember = errors.New("bad value")

	// ErrDuplicateMember is returned when a member of the envelope occurs
	// twice: readers differ in which of them counts.
	ErrDuplicateMember = errors.New("occurs twice")

	// ErrDeadLetter is returned for a record of the dead-letter queue of a
	// custom event bus: it names events that were not delivered, and is none.
	ErrDeadLetter = errors.New("a dead-letter record names events but holds none: replay them from the bus")

	// ErrTooMany is returned for a body that holds more records than any
	// source delivers.
	ErrTooMany = errors.New("more than 10000 records")
)

// EnvelopeError is the failure of a record that is not in its envelope. Its
// handler does not run, since nothing is known of its identity.
type EnvelopeError struct {
	Envelope string // whose: "EventBridge", "SNS", ...
	Member   string // which member, as in "s3.object.key"; empty for the envelope as a whole
	Err      error  // one of the errors above, perhaps with the parser's inside
}

func (e *EnvelopeError) Error() string {
	text := fmt.Sprintf("sources: %s envelope: ", e.Envelope)
	if e.Member != "" {
		text += fmt.Sprintf("member %q: ", e.Member)
	}
	return text + e.Err.Error() + e.hint()
}

// Unwrap returns the cause.
func (e *EnvelopeError) Unwrap() error { return e.Err }

// hint says what to do about a body that looks like the payload alone.
func (e *EnvelopeError) hint() string {
	if e.Envelope != eventBridge || !errors.Is(e.Err, ErrNoMember) && !errors.Is(e.Err, ErrNotEnvelope) {
		return ""
	}
	return "; an Input, InputPath or InputTransformer on the rule's target strips the envelope:" +
		" remove it, or decode no EventBridge envelope and name a business field as the key"
}
