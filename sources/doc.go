// Package sources takes envelopes off: a [Decoder] turns what a source
// delivered into the record that its handler wants, with the identity that
// the sender gave it.
//
// An envelope is either read whole or refused. Nothing is guessed: a record
// is decoded by the Decoder that was named for it, one that is not in that
// envelope fails with an [EnvelopeError] and is otherwise left as it was, and
// no record gets an empty or a made-up identity.
//
// The payload inside is passed on byte for byte; what it has to be is up to
// the handler and to the function that makes its key.
package sources
