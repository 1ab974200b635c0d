// Package linear checks that a store is linearizable: what its callers hear
// while they all work at once, over the same few keys, is what they could have
// heard had each operation happened at one moment between its call and its
// answer, with [dedupe.Step] deciding there.
//
// Two things are not known, and both are left open instead of guessed:
//
// What time it was. A store looks at a clock somewhere between the call and
// the answer. Step compares that time with the two ends of the row and writes
// it into three fields, so of all times in between it is enough to try the
// first, the last, those around the ends of the row, and those that rows
// showed: every other one has the same consequences. A store may as well have
// collected a row that expired by then.
//
// What became of an operation that stayed undecided. It may have been applied,
// at any time since its call and in the future, or not at all.
package linear
