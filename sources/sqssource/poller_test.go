package sqssource_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// Everything that is in the queue is handled once and deleted.
func TestPoller(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		b.sendMany(200)
		r := b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 200, Done: 200})
		b.once(200)
	})
}

// So it is on a FIFO queue, and without a guard.
func TestPollerFIFO(t *testing.T) {
	bubble(t, setting{queue: "orders.fifo", noGuard: true}, func(b *bed) {
		for i := range 100 {
			b.send(fmt.Sprint("m", i), group(fmt.Sprint("g", i%7)))
		}
		r := b.start(takes(20*time.Millisecond), sqssource.Options{})
		b.drain()
		b.wantReport(r.stop(), sqssource.Report{Received: 100, Done: 100})
		b.once(100)
	})
}
