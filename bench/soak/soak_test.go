package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// A short soak ends well, and tells what it did.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of real time")
	}
	var out, complaints bytes.Buffer
	args := []string{"--time", "2s", "--every", "1s", "--rate", "50", "--workers", "2", "--store", "memory", "--memory", "2048"}
	if err := run(t.Context(), args, &out, &complaints); err != nil {
		t.Fatalf("got error %v, output\n%s%s", err, &out, &complaints)
	}
	for _, want := range []string{"  2s  sent ", "store: down", "network: ", "workers: stop, ", "the queues are empty"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got output\n%s\nwant %q in it", &out, want)
		}
	}
}

// What must not be is told: work done twice, not at all, at the same time or out of order, and wrong dead letters.
func TestLedger(t *testing.T) {
	usual, fifo, forGood := plan{}, plan{fifo: true}, plan{forGood: true}
	for name, test := range map[string]struct {
		plans []plan
		do    func(l *ledger)
		dead  []int
		want  string
	}{
		"well":            {[]plan{usual, fifo, fifo}, func(l *ledger) { all(l, usual, 0); all(l, fifo, 1, 2) }, nil, ""},
		"lost":            {[]plan{usual}, func(*ledger) {}, nil, "message 0 was done 0 times"},
		"again":           {[]plan{usual}, func(l *ledger) { all(l, usual, 0, 0) }, nil, "message 0 was run again after it was done"},
		"at once":         {[]plan{usual}, func(l *ledger) { l.start(0, usual); all(l, usual, 0) }, nil, "message 0 was run twice at a time"},
		"out of order":    {[]plan{fifo, fifo}, func(l *ledger) { all(l, fifo, 1, 0) }, nil, "message 1 of group 0 was run before message 0"},
		"dead":            {[]plan{forGood}, func(*ledger) {}, []int{0}, ""},
		"not dead":        {[]plan{forGood}, func(*ledger) {}, nil, "message 0 was to be a dead letter"},
		"dead, not to be": {[]plan{usual}, func(l *ledger) { all(l, usual, 0) }, []int{0}, "message 0 is a dead letter and was not to be"},
		"never sent":      {nil, func(l *ledger) { all(l, usual, 7) }, nil, "message 7 was never sent"},
	} {
		l := newLedger()
		for n, p := range test.plans {
			l.send(n, p)
		}
		test.do(l)
		letters := map[int]bool{}
		for _, n := range test.dead {
			letters[n] = true
		}
		wrong, n := l.judge(func(n int) plan { return test.plans[n] }, letters)
		found := slices.ContainsFunc(wrong, func(s string) bool { return strings.HasPrefix(s, test.want) })
		if test.want == "" && n > 0 || test.want != "" && !found {
			t.Errorf("%s: got %q, want %q", name, wrong, test.want)
		}
	}
}

// all runs these messages well, one after another.
func all(l *ledger, p plan, numbers ...int) {
	for _, n := range numbers {
		l.start(n, p)
		l.end(n, p, true)
	}
}

// Plans follow from the seed alone, and hold every kind of message.
func TestPlans(t *testing.T) {
	kinds := map[string]int{}
	for n := range 5000 {
		p := planOf(1, n)
		if again := planOf(1, n); p != again && p.err == nil {
			t.Fatalf("message %d: got %+v, then %+v", n, p, again)
		}
		for kind, is := range map[string]bool{
			"FIFO": p.fifo, "slow": p.takes > visibility, "twice": p.twice, "panics": p.fails > 0 && p.err == nil,
			"fails": p.fails > 0 && p.err != nil, "for good": p.forGood, "ignores": p.ignores, "instant": p.takes < time.Millisecond,
		} {
			if is {
				kinds[kind]++
			}
		}
	}
	if len(kinds) != 8 {
		t.Errorf("got kinds %v, want 8", kinds)
	}
}
