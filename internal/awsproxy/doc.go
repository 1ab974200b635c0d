// Package awsproxy is the network between an AWS client and its server, in
// tests: a proxy on a TCP port of this machine that counts the requests that
// pass and loses, delays or answers those that it is told to.
//
// It forwards every request and every answer byte for byte, in whichever of
// AWS's JSON protocols they are, so that the real SDK client on one side and
// DynamoDB or SQS, played or real, on the other notice nothing of it. Without
// a [FaultFunc] nothing goes wrong.
//
// # What is in flight
//
// A request counts as in flight from when it has arrived whole until just
// before its answer is sent on, so that a client that sends the next request
// as soon as it has an answer never seems to have one more in flight than it
// has.
package awsproxy
