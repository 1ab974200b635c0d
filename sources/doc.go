// Package sources takes envelopes off: a [Decoder] turns what a source
// delivered into the record that its handler wants, with the identity that
// the sender gave it; a [Splitter] makes several records of a message that
// holds several. Decoders can be joined ([Chain]).
//
// An envelope is either read whole or refused. Nothing is guessed: a record
// is decoded by the Decoder that was named for it, one that is not in that
// envelope fails with an [EnvelopeError] and is otherwise left as it was, and
// no record gets an empty or a made-up identity.
//
// # Sources
//
// By the name of the example worker's --source: what identifies a record,
// what a failure of its work does and what a duplicate does.
//
//	source                identity                       failure                        duplicate
//	sqs                   messageId; new after a redrive  message reported, comes back   acknowledged
//	                      or a producer's retry
//	sqs+eventbridge       event id                        message reported               acknowledged
//	sqs+sns               SNS MessageId                   message reported               acknowledged
//	sqs+sns+eventbridge   event id                        message reported               acknowledged
//	sqs+scheduler         schedule ARN, scheduled time    message reported               acknowledged
//	sqs+s3                bucket, key, version and        message reported, its done     acknowledged when
//	                      sequencer, event name           records are skipped later      all records are done
//	pipes                 messageId                       message reported to the pipe   acknowledged
//	pipes+eventbridge     event id                        message reported; of bare      acknowledged
//	                                                      events the invocation fails
//	eventbridge           event id                        invocation fails, Lambda       null
//	                                                      tries twice more
//	sns                   SNS MessageId                   the same                       null
//	scheduler             schedule ARN, scheduled time    the same                       null
//	eventbus              aws:EventId, or event id (RAW)  invocation fails, the bus      null
//	                                                      tries again with all of it
//	kinesis               stream ARN, eventID (shard      lowest sequence number is      skipped
//	                      and sequence number)            reported; its key stops
//	dynamodb-stream       stream ARN, eventID             the same; its item stops       skipped
//
// A duplicate that comes while the first is at work fails like work that
// failed: its worker may still die. Behind an on-failure destination, the
// dead-letter queue of a rule or that of a function a record keeps the
// identity it had ([OnFailure]); the dead-letter record of a custom event bus
// is refused ([ErrDeadLetter]), except behind plain sqs, which looks into no
// body.
//
// An SNS MessageId and an event's id are shared by all subscriptions and rules
// that deliver to one function: give work that each of them is to do a
// consumer name of its own. An event id changes when the event is forwarded to
// another region.
//
// The payload inside is passed on byte for byte; what it has to be is up to
// the handler and to the function that makes its key.
package sources
