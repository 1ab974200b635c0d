package main

import (
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The judge finds each fault that a worker could have, and no other.
func TestJudge(t *testing.T) {
	const key = dedupe.Key("k")
	for _, c := range []struct {
		name    string
		play    func(l *ledger)
		want    string // in the fault; empty for none
		doubled int
	}{
		{"done", func(l *ledger) { l.effect(key, 1, 1); l.recorded(key) }, "", 0},
		{"killed before it was recorded", func(l *ledger) { l.effect(key, 1, 1); l.effect(key, 2, 2); l.recorded(key) }, "", 1},
		{"lost", func(*ledger) {}, "was lost", 0},
		{"never recorded", func(l *ledger) { l.effect(key, 1, 1) }, "not recorded", 0},
		{"recorded without effect", func(l *ledger) { l.recorded(key); l.effect(key, 1, 1) }, "had no effect", 0},
		{"run again", func(l *ledger) { l.effect(key, 1, 1); l.recorded(key); l.effect(key, 2, 2) }, "ran again", 0},
		{"twice in a life", func(l *ledger) { l.effect(key, 1, 1); l.effect(key, 2, 1); l.recorded(key) }, "ran twice in life 1", 0},
		{"fencing number stands", func(l *ledger) { l.effect(key, 5, 1); l.effect(key, 5, 2); l.recorded(key) }, "fencing number 5 after 5", 1},
		{"unknown", func(l *ledger) { l.effect("x", 1, 1); l.effect(key, 1, 1); l.recorded(key) }, "no order has", 0},
	} {
		l := newLedger()
		l.sent(key, "the order")
		c.play(l)
		l.ended()
		got := strings.Join(l.faults, "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) || l.doubled != c.doubled {
			t.Errorf("%s: got %q and %d doubled, want %q and %d", c.name, got, l.doubled, c.want, c.doubled)
		}
	}
}
