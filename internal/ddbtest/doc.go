// Package ddbtest is a DynamoDB that lives inside a test: the real
// [dynamodb.Client] of the AWS SDK talks to it in process, without a socket.
//
// It parses and evaluates condition, update and projection expressions and
// PartiQL statements as DynamoDB does, whoever wrote them, and keeps the
// limits and error types that a store has to live with. Faults are opt-in: see
// [Server.Fault].
//
// # Time
//
// The server waits on timers only and starts no goroutine, so in a
// [testing/synctest] bubble it follows the bubble's clock. Items are never
// collected by time to live; [Server.Collect] does what DynamoDB does within
// days.
//
// # What it leaves out
//
// Indexes, queries, streams, transactions that read, backups, permissions and
// throughput limits. Tables are active at once. A SELECT names one whole key. Where
// DynamoDB's answer is not known, [Options] has both.
package ddbtest
