package main

import (
	"errors"
	"reflect"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// The figures have every kill at its point, in the order of the work, what must
// not be, and why a bed was given up.
func TestCounted(t *testing.T) {
	got := counted([]result{{
		way: viaPoll, store: onBolt, orders: 5, effects: 7, faults: []string{"o1 was lost"},
		killed: map[point]int{afterEffect: 2, atRandom: 1, afterDelete: 0}, by: map[point]int{afterEffect: 2},
	}, {way: viaLambda, store: onDynamoDB, err: errors.New("the queue does not get empty")}}, 9)
	want := figures.Crash{Seed: 9, Beds: []figures.Bed{{
		Worker: "poll", Store: "bbolt", Orders: 5, Effects: 7, Faults: []string{"o1 was lost"},
		Kills: []figures.Kills{{Point: "at random", Kills: 1}, {Point: "after an effect", Kills: 2, Doubled: 2}},
	}, {Worker: "lambda", Store: "DynamoDB", Error: "the queue does not get empty"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
