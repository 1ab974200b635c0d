package sqssource_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
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

// Run ends with a QueueError when the queue is deleted, and can be called
// again.
func TestQueueGone(t *testing.T) {
	bubble(t, setting{}, func(b *bed) {
		r := b.start(takes(0), sqssource.Options{})
		time.Sleep(time.Minute)
		b.server.Fault(func(op string, _ sqstest.Request) (a sqstest.Action) {
			if op == "ReceiveMessage" {
				a.Err = &sqstest.Error{Code: "QueueDoesNotExist"}
			}
			return a
		})
		_, err := r.wait()
		e, ok := errors.AsType[*sqssource.QueueError](err)
		if !ok || e.Op != "ReceiveMessage" || e.URL != b.url {
			b.Errorf("got error %v, want a QueueError of ReceiveMessage on %s", err, b.url)
		}
	})
}
