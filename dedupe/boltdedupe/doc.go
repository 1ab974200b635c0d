// Package boltdedupe keeps the rows of package dedupe in one file, durably:
// for a worker on one machine that needs no server. It is built on bbolt and
// executes [dedupe.Step] inside bbolt's transactions.
//
// # Durability
//
// A verdict other than Undecided is on disk when Apply returns: what changes
// a row is answered after its transaction was synced, and a duplicate is
// answered only from a state that was synced before. A crash of the process
// or the machine therefore never takes back an answer, as far as the disk
// keeps what it acknowledged. Crash safety of the file itself is bbolt's.
//
// A file that lost its end is refused with [ErrFormat], and damage that is met
// later ends in [ErrFailed]. A row has a checksum and is never read as another;
// bbolt's pages have none, so what a disk silently changes in one of them can
// hide rows.
//
// # Cost
//
// Calls that wait at the same time share one transaction and its syncs; none
// waits for company, so a single caller pays no delay. A group that changes
// nothing, such as one of duplicates, costs a read and no sync.
//
// # The file
//
// One process opens a file at a time; another gets [ErrLocked]. The file does
// not shrink: space of expired rows, which are collected a few at a time by
// the transactions that write, is used again for new ones.
package boltdedupe
