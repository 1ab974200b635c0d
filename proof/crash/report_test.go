package main

import (
	"reflect"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// The figures have every kill at its point, in the order of the work, and what
// must not be.
func TestCounted(t *testing.T) {
	got := counted([]result{{
		way: viaPoll, store: onBolt, orders: 5, effects: 7, faults: []string{"o1 was lost"},
		killed: map[point]int{afterEffect: 2, atRandom: 1, afterDelete: 0}, by: map[point]int{afterEffect: 2},
	}}, 9)
	want := figures.Crash{Seed: 9, Beds: []figures.Bed{{
		Worker: "poll", Store: "bbolt", Orders: 5, Effects: 7, Faults: []string{"o1 was lost"},
		Kills: []figures.Kills{{Point: "at random", Kills: 1}, {Point: "after an effect", Kills: 2, Doubled: 2}},
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
