package sqstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// Duplicate gives the same message to two receives at once, never twice to
// one, and deleting it by the second handle deletes it.
func TestDuplicate(t *testing.T) {
	bubble(t, sqstest.Options{Duplicate: 1}, "q", nil, func(r rig) {
		r.send("m")
		first, second := r.receiveOne(), r.receiveOne()
		if *first.MessageId != *second.MessageId || *first.ReceiptHandle == *second.ReceiptHandle {
			r.Errorf("got %s and %s, want one id and two handles", *first.MessageId, *second.MessageId)
		}
		if got := second.Attributes["ApproximateReceiveCount"]; got != "2" {
			r.Errorf("count of the second: got %s, want 2", got)
		}
		r.wantStats("q", sqstest.Stats{InFlight: 2})
		r.delete(second)
		r.wantStats("q", sqstest.Stats{})
	})
}

// A surplus delivery that nobody deletes does not become a message.
func TestDuplicateExpires(t *testing.T) {
	bubble(t, sqstest.Options{Duplicate: 1}, "q", nil, func(r rig) {
		r.send("m")
		first := r.receiveOne()
		r.receiveOne()
		r.delete(first)
		r.wantStats("q", sqstest.Stats{InFlight: 1})
		time.Sleep(30 * time.Second)
		r.wantStats("q", sqstest.Stats{})
	})
}

// Redeliver returns a deleted message once more.
func TestRedeliver(t *testing.T) {
	bubble(t, sqstest.Options{Redeliver: 1}, "q", nil, func(r rig) {
		r.send("m")
		r.delete(r.receiveOne())
		again := r.receiveOne()
		r.wantBodies(r.receive(), "")
		r.delete(again)
		r.wantStats("q", sqstest.Stats{})
	})
}

// EmptyReceive concerns short polls only.
func TestEmptyReceive(t *testing.T) {
	bubble(t, sqstest.Options{EmptyReceive: 1}, "q", nil, func(r rig) {
		r.send("m")
		r.wantBodies(r.receive(), "")
		start := time.Now()
		r.wantBodies(r.receive(wait(1)), "m")
		r.wantElapsed(start, 0)
	})
}

// Reorder changes the order, not the set, and equal seeds give equal runs.
func TestReorder(t *testing.T) {
	run := func(seed uint64, reorder bool) (got string) {
		bubble(t, sqstest.Options{Seed: seed, Reorder: reorder}, "q", nil, func(r rig) {
			for i := range 40 {
				r.send(fmt.Sprintf("m%02d", i))
			}
			for range 4 {
				got += bodies(r.receive()) + " "
			}
			got = strings.TrimSpace(got)
		})
		return got
	}
	plain, one, two := run(1, false), run(1, true), run(2, true)
	if plain != sorted(plain) {
		t.Errorf("without Reorder: got %q", plain)
	}
	if one == plain || one == two || sorted(one) != plain || sorted(two) != plain {
		t.Errorf("with Reorder: got %q and %q, want two permutations of %q", one, two, plain)
	}
	if again := run(1, true); again != one {
		t.Errorf("same seed: got %q, want %q", again, one)
	}
}

// FIFO queues have none of the faults of standard queues.
func TestChancesSpareFIFO(t *testing.T) {
	opts := sqstest.Options{Duplicate: 1, Redeliver: 1, EmptyReceive: 1, Reorder: true}
	bubble(t, opts, "q.fifo", nil, func(r rig) {
		for i := range 9 {
			r.send(fmt.Sprint(i), group("g"))
		}
		got := r.receive()
		r.wantBodies(got, "0 1 2 3 4 5 6 7 8")
		for _, m := range got {
			r.delete(m)
		}
		r.wantStats("q.fifo", sqstest.Stats{})
	})
}
