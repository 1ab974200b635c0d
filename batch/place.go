package batch

import (
	"sync/atomic"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// place is one record's place in a batch. But for holds, only the loop of its
// run touches it.
type place struct {
	rec    *consumer.Record
	number int
	ticket *dedupe.Ticket // nil until admitted
	lane   *lane          // nil for records without order

	claiming bool  // its claim is on the way
	queued   bool  // it waits for a worker, or has got one
	waits    bool  // it is counted in run.waiting
	again    bool  // its twin was not started: it is to be admitted anew
	drop     error // give it up as soon as its claim is there
	done     bool  // its outcome is known
	err      error
	after    *place // the next outcome to yield

	holds atomic.Bool // its worker holds a handler slot
}

// lane is a message group of an ordered source: its records run one after
// another, and none after one that failed.
type lane struct {
	places []*place
	head   int
}

// advance passes over the places that have their outcome and returns the one
// that is to run next, if any. After a failure it returns all that must not
// run any more.
func (l *lane) advance() (next *place, drop []*place) {
	for ; l.head < len(l.places); l.head++ {
		pl := l.places[l.head]
		if !pl.done {
			return pl, nil
		}
		if pl.err != nil {
			drop = l.places[l.head+1:]
			l.places = l.places[:l.head+1]
		}
	}
	return nil, drop
}

// isHead reports whether pl may run now as far as its lane goes.
func (pl *place) isHead() bool {
	return pl.lane == nil || pl.lane.head < len(pl.lane.places) && pl.lane.places[pl.lane.head] == pl
}
