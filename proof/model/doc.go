// Package model tries everything: a breadth-first search over all that can
// happen to one record, with [dedupe.Step] itself as the store. Whatever
// order requests, answers, crashes, late copies, redeliveries and the passing
// of time come in, within the bounds of a [Config], the [Properties] hold; a
// [Violation] comes with the shortest way to it.
//
// The workers follow the guard: claim, tried again by the same owner while it
// is undecided and then released; a handler that starts only with a margin of
// its lease left; complete after a success, tried again and never turned into
// a release. Clocks differ by up to the guard's skew, and each look at a clock
// may find another offset. The store may collect expired rows or leave them.
//
// What goes wrong is counted against a budget: a request or an answer lost, a
// request doubled or late, a slow worker, a crash, a handler's error, a second
// delivery, a redrive. Time passes for free where nobody is in the middle of
// something: a worker that lets it pass there is a slow one.
package model
