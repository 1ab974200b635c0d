// Command example-worker is a worker whose orders take effect once, however
// often their messages arrive, and a demonstration of it.
//
//	go run ./cmd/example-worker              shows it, in a few seconds
//	example-worker lambda --store bolt:PATH  is a Lambda function
//	example-worker http --store bolt:PATH    serves POST /orders
//
// Without a command it serves Lambda where AWS_LAMBDA_RUNTIME_API is set and
// runs the demo elsewhere. Every flag has an environment variable; --help
// tells all of them. The work it does for a record is one POST to
// --effect-url with the record's key and fencing number, so that it can stand
// in front of any next system. The command duplicates works on nothing: it
// measures how often a queue delivers a message twice.
//
// Exit codes: 0 done; 1 failed, in the demo also an order that was lost or
// doubled; 2 a mistake in flags, variables or store, told in one line; 130
// interrupted.
package main
