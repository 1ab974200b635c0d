// Package httpsource lets an HTTP request take effect once, however often a
// client sends it: the first request with an Idempotency-Key runs, a retry
// gets the stored response, and no two requests with one key ever run to a
// kept response.
//
//	mux.Handle("POST /orders", httpsource.Once(guard, orders))
//
// It follows the Internet-Draft draft-ietf-httpapi-idempotency-key-header. A
// client sends a key that is new for each request, and the same key with each
// retry of it:
//
//	Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"
//
// # Keys
//
// A key is an sf-string of RFC 9651 without parameters, of 1 to 255
// characters. The value without its quotes, which many clients send, is the
// same key; it may not contain a blank, a comma, a quote or a backslash. Keys
// live as long as the guard's Retention, in the guard's Consumer, and in a
// scope of their own for each caller with Options.Scope. A key belongs to one
// method, path, query and body, byte for byte; headers are not compared. It
// does so from the first request on, also when that failed or was cut off by
// the end of its server: then the same request may come again, and no other.
//
// # Answers
//
// What is not the handler's response is application/problem+json (RFC 9457)
// with one of the types below:
//
//	400  no key, a malformed one, several; a body that did not arrive
//	403  Options.Scope refused
//	409  a request with the key is in progress: Retry-After is its lease left
//	409  parked (at-most-once): without Retry-After, since a person decides
//	410  finished before, but the response was not kept
//	413  the body is too large
//	422  the key was used for another request
//	500  the handler panicked; or the stored response is broken
//	503  the store does not answer, the result could not be recorded, the
//	     lease was lost, or the time was over
//
// After 500 for a panic and after 503 the same request may be sent again. The
// one answer that leaves open whether there was an effect is
// [ProblemUnrecorded]; let the handler pass the key and the fencing number of
// [dedupe.FromContext] on to the next system, or complete in its transaction.
//
// # What is stored
//
// Status, header and body of the first response whose status Options.Keep
// takes, before the client gets it. By default that is every status below 500
// but 408, 425 and 429: a request that is refused as invalid stays refused
// under its key. Any other response is sent as it is, and the request may come
// again. A replay is the same, byte for byte, with Idempotency-Replayed: true;
// without Date, which is that of the replay, without Set-Cookie, which was for
// one client at one time, and without headers of the connection. A handler
// that completes in a transaction of its own ([dedupe.CompleteWith]) does so
// before there is a response to store: a retry gets 410.
//
// # Handlers
//
// The handler's body is in memory, and its response is gathered there until it
// returns: a handler that needs to flush or to hijack is told that it cannot
// ([http.ErrNotSupported]), informational responses and trailers are dropped.
// It starts with an empty header; what middlewares around Once have set is
// sent, but not stored. Once must stand outside of what reads the body.
//
// The handler goes on when the client leaves, for Options.Timeout at most: its
// context ends then, and at a deadline of the request's context. One that
// ignores the end of its context may be overtaken once its lease has passed.
package httpsource
