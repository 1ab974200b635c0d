// Package consumer is the vocabulary of onlyonce: what a message looks like
// once its envelope is off, what handles it, and what its outcome means.
//
// A [Handler] receives one [Record] and returns nil when the work is done. An
// error means that the record must come back. [JSON] turns a plain function
// over your own type into a Handler, [Mux] routes by [Record.Type], and a
// [Middleware] wraps one Handler in another:
//
//	h := consumer.Chain(consumer.JSON(place), consumer.Timeout(20*time.Second))
//
// Two outcomes say more than "failed": [Permanent] marks an error that no
// retry can mend, [RetryAfter] says how long to wait.
//
// The package imports nothing but the standard library, never logs and never
// counts: what happens is told to an [Observer].
package consumer
