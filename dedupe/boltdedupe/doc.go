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
// bbolt's pages have no checksum, and it follows what they say. Open therefore
// reads the whole file: its pages must be what bbolt relies on, and its rows
// must amount to what the last transaction wrote down as their total. A file
// that lost its end, has garbage anywhere, or older pages from a disk that lied
// about a sync, is refused with [ErrFormat]; none forgets a completed key in
// silence. What no file can tell is that all of it is gone, which makes it a
// new one, or from before, as a restored backup is. Because of that total no other program may write to
// the file or make it smaller ("bbolt compact"); a copy of it is as good as it
// is. Reading takes about half a second for a million rows, and as long as the
// disk needs when the file is not in memory.
//
// Damage that appears while the file is open ends in [ErrFailed] where it is
// met, or in the end of the process. A row has a checksum of its own and is
// never read as another.
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
