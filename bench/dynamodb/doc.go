// Command dynamodb measures what it costs a worker to keep its rows in
// DynamoDB: with onlyonce, with a bare loop of the SDK that makes the same
// requests, and with the handler that one writes by hand.
//
//	go run ./dynamodb --help
//
// # How
//
// DynamoDB is played by internal/ddbtest behind HTTP on 127.0.0.1, in a
// process of its own, so that the processor time of the client stands alone;
// the server waits for the round trip before it serves a request. Where
// taskset is there, client and server have a processor each. The client runs
// Go on one processor.
//
// All contenders have the same SDK, the same settings of client and HTTP
// client, the same records and the same instant handler. They take turns
// within each round, each round begins with another one, and ratios are taken
// within a round, so that whatever else the machine does meets all of them.
// After each turn the server is asked for the rows that are completed and the
// handler's runs are counted: a contender that did not do its work ends the
// program.
//
// What it does not show is DynamoDB: its own time, TLS, or a network that
// varies.
package main
