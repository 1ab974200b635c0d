package main

import "math/rand/v2"

// luck decides what goes wrong. It depends on the seed and on what it is
// asked about, never on when it is asked: the same seed gives the same
// mishaps however fast the machine is.
type luck struct {
	seed                 uint64
	duplicates, failures float64
}

// The kinds of mishaps.
const (
	kindTwice uint64 = iota + 1
	kindRefused
	kindCut
	kindDropped
)

// twice tells whether the producer sends order n twice.
func (l luck) twice(n int) bool { return l.hits(kindTwice, n, l.duplicates) }

// refuses tells whether the ledger fails the first call for order n.
func (l luck) refuses(n int) bool { return l.hits(kindRefused, n, l.failures) }

// cuts tells whether the answer to the first effect of order n is lost.
func (l luck) cuts(n int) bool { return l.hits(kindCut, n, l.failures/2) }

// drops tells whether the answer of a batch is lost.
func (l luck) drops(batch int) bool { return l.hits(kindDropped, batch, l.failures/2) }

func (l luck) hits(kind uint64, n int, share float64) bool {
	return share > 0 && rand.New(rand.NewPCG(l.seed, kind<<56|uint64(n))).Float64() < share
}
