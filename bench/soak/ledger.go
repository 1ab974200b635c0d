package main

import (
	"fmt"
	"sync"
)

// ledger is what handlers did, as those see it who are affected: how often each message was done, and in which order.
type ledger struct {
	mu      sync.Mutex
	done    []uint8          // by number
	tries   map[int]int      // runs of what is not done yet
	running map[int]struct{} // now
	next    [groups][]int    // of the FIFO queue, what is not done yet, in order
	sent    int              // messages, not counting those that are sent again
	total   int              // done
	wrong   []string         // the first of them
	wrongs  int
}

func newLedger() *ledger { return &ledger{tries: make(map[int]int), running: make(map[int]struct{})} }

// send notes that a message will be sent.
func (l *ledger) send(n int, p plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, 0)
	l.sent++
	if p.fifo && !p.forGood {
		l.next[p.group] = append(l.next[p.group], n)
	}
}

// start notes that a handler starts, and returns how often it has by now.
func (l *ledger) start(n int, p plan) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.running[n]; twice {
		l.complain("message %d was run twice at a time", n)
	}
	l.running[n] = struct{}{}
	l.tries[n]++
	switch {
	case n >= len(l.done):
		l.complain("message %d was never sent", n)
	case l.done[n] > 0:
		l.complain("message %d was run again after it was done", n)
	case p.fifo && !p.forGood && l.next[p.group][0] != n:
		l.complain("message %d of group %d was run before message %d", n, p.group, l.next[p.group][0])
	}
	return l.tries[n]
}

// end notes how a handler ended.
func (l *ledger) end(n int, p plan, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, n)
	if !ok || n >= len(l.done) {
		return
	}
	delete(l.tries, n)
	l.total++
	if l.done[n]++; l.done[n] > 1 {
		l.complain("message %d was done %d times", n, l.done[n])
		return
	}
	if waiting := l.next[p.group]; p.fifo && len(waiting) > 0 && waiting[0] == n {
		l.next[p.group] = waiting[1:]
	}
}

// progress returns how many messages were sent and how often one was done.
func (l *ledger) progress() (sent, done int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.total
}

// mostWrong is how many complaints are kept.
const mostWrong = 20

// complain notes something that must not be. l.mu is held.
func (l *ledger) complain(format string, args ...any) {
	if l.wrongs++; len(l.wrong) < mostWrong {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	}
}

// judge looks at the end: each message was done once, or is among the dead letters and was to be.
func (l *ledger) judge(planOf func(int) plan, dead map[int]bool) (wrong []string, wrongs int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, times := range l.done {
		switch p := planOf(n); {
		case p.forGood && (times > 0 || !dead[n]):
			l.complain("message %d was to be a dead letter: done %d times, dead letter: %v", n, times, dead[n])
		case !p.forGood && dead[n]:
			l.complain("message %d is a dead letter and was not to be, done %d times", n, times)
		case !p.forGood && times != 1:
			l.complain("message %d was done %d times", n, times)
		}
	}
	return l.wrong, l.wrongs
}
