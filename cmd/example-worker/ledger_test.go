package main

import (
	"strconv"
	"testing"
)

// Each key is applied once; what is repeated is absorbed and counted by its
// reason; orders are judged by their number, whatever their keys.
func TestLedger(t *testing.T) {
	l := newLedger(60, luck{seed: 1, failures: 0}, false)
	l.crash.state = crashOver
	for n := range 58 {
		if a := l.call("k"+strconv.Itoa(n), 1, n, 0); a != answerDone {
			t.Fatalf("order %d: got answer %d", n, a)
		}
	}
	l.call("k0", 2, 0, 0)    // for no reason
	l.call("k1", 2, 1, 1)    // after a crash
	l.call("k1", 3, 1, 1)    // which explains one repetition only
	l.call("other", 1, 2, 0) // a second key for an order
	l.call("k3", 1, 3, 1)    // after a crash, but the number has not grown
	want := totals{effects: 59, afterCrash: 2, unexpected: 2, stale: 1}
	if got := l.count(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if lost, doubled := l.judge(); lost != 2 || doubled != 1 {
		t.Errorf("got %d lost and %d doubled, want 2 and 1", lost, doubled)
	}
}

// A call that is refused applies nothing and the next one is let through; an
// answer that is cut explains one repetition.
func TestLedgerMishaps(t *testing.T) {
	const orders = 1000
	l := newLedger(orders, luck{seed: 7, failures: 0.2}, false)
	l.crash.state = crashOver
	for n := range orders {
		for fence := int64(1); ; fence++ {
			if a := l.call("k"+strconv.Itoa(n), fence, n, 0); a == answerDone {
				break
			} else if fence > 2 {
				t.Fatalf("order %d: got answer %d for the third call", n, a)
			}
		}
	}
	got := l.count()
	if got.effects != orders || got.afterCut != got.cut || got.unexpected != 0 || got.stale != 0 {
		t.Errorf("got %+v, want one effect for each and as many repetitions as cut answers", got)
	}
	if got.refused < 150 || got.refused > 250 || got.cut < 60 || got.cut > 140 {
		t.Errorf("got %d refused and %d cut of %d, want about a fifth and a tenth", got.refused, got.cut, orders)
	}
}

// The crash strikes in a batch of which one effect is applied and answered,
// one applied and not answered, and one at least not applied.
func TestCrashStrikesInMidBatch(t *testing.T) {
	l := newLedger(100, luck{}, false)
	call := func(n int) answer { return l.call("k"+strconv.Itoa(n), 1, n, 0) }
	for n := range 40 {
		call(n)
	}
	l.given(4, []int{38, 39, 40, 41}) // too few that are left to do
	l.given(5, []int{39, 50, 51, 52})
	if a := call(40); a != answerDone {
		t.Errorf("got answer %d in another batch", a)
	}
	if a := call(50); a != answerDone {
		t.Errorf("got answer %d to the first call", a)
	}
	if a := call(51); a != answerStrike {
		t.Errorf("got answer %d to the second call, want the strike", a)
	}
	if a := call(52); a != answerHold {
		t.Errorf("got answer %d while the worker is killed, want it held", a)
	}
	l.killed()
	if life, gone := l.life(); life != 1 {
		t.Errorf("got life %d, want 1", life)
	} else {
		<-gone
	}
	if a := call(52); a != answerDone {
		t.Errorf("got answer %d afterwards", a)
	}
}

// A batch that ends before the crash could strike makes room for another.
func TestCrashFindsAnotherBatch(t *testing.T) {
	l := newLedger(10, luck{}, false)
	l.given(0, []int{0, 1, 2})
	l.call("k0", 1, 0, 0)
	l.ended(0)
	l.given(1, []int{3, 4, 5})
	if a := l.call("k1", 1, 1, 0); a != answerDone {
		t.Errorf("got answer %d in the batch that has ended", a)
	}
	if a := l.call("k3", 1, 3, 0); a != answerStrike {
		t.Errorf("got answer %d in the next batch, want the strike", a)
	}
}
