// Package bench compares onlyonce, side by side, with other ways to do the same work.
//
// It is a module of its own, so that the libraries it measures never appear in the module graph of a user. Run it with
// "make bench"; the output is what benchstat reads.
package bench
