package emfobserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/emfobserver"
)

// output keeps what is written, and how often.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	fails  func() (n int, err error)
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.fails != nil {
		n, err := o.fails()
		return n, err
	}
	return o.buf.Write(b)
}

// take returns the counts of the lines since the last take, each of which must
// be valid.
func (o *output) take(t *testing.T) map[string]int {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	got := map[string]int{}
	for line := range strings.Lines(o.buf.String()) {
		values, err := extract([]byte(line), time.Now())
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for name, n := range values {
			got[name] += int(n)
		}
	}
	o.buf.Reset()
	return got
}

func want(t *testing.T, out *output, when string, counts map[string]int) {
	t.Helper()
	if got := out.take(t); !maps.Equal(got, counts) {
		t.Errorf("%s: got %v, want %v", when, got, counts)
	}
}

func observe(o consumer.Observer, events ...consumer.Event) {
	for _, e := range events {
		o.Observe(context.Background(), e)
	}
}

// At the end of a batch its counts are written, each once, in one write, as
// documents of the format with nothing of a record in them.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		o := emfobserver.New(&out, emfobserver.Options{Consumer: "orders"})
		rec := &consumer.Record{ID: "secret", Source: "secret", Group: "secret", Body: []byte("secret")}
		observe(o, consumer.Claimed{Record: rec, Key: "secret"}, consumer.Completed{Record: rec, Key: "secret"},
			consumer.Duplicate{Record: rec, Key: "secret"}, consumer.Duplicate{Record: rec, Key: "secret"},
			consumer.Failed{Record: rec, Err: errors.New("secret")})
		want(t, &out, "in the batch", map[string]int{})
		observe(o, consumer.BatchDone{Records: 4, Done: 3, Failed: 1})
		if out.writes != 1 || strings.Contains(out.buf.String(), "secret") {
			t.Errorf("%d writes: %s, want one, without a payload", out.writes, &out.buf)
		}
		want(t, &out, "after the batch", map[string]int{
			"onlyonce Consumer=orders Outcome=claimed Events": 1, "onlyonce Consumer=orders Outcome=completed Events": 1,
			"onlyonce Consumer=orders Outcome=duplicate Events": 2, "onlyonce Consumer=orders Outcome=failed Events": 1,
			"onlyonce Consumer=orders Outcome=done Events": 3,
		})
		observe(o, consumer.Duplicate{}, consumer.BatchDone{Records: 1, Done: 1})
		want(t, &out, "after the second batch", map[string]int{
			"onlyonce Consumer=orders Outcome=duplicate Events": 1, "onlyonce Consumer=orders Outcome=done Events": 1,
		})
		if err := o.Flush(); err != nil || out.writes != 2 {
			t.Errorf("Flush with nothing to write: %v and %d writes, want none", err, out.writes-2)
		}
	})
}

// Without batches counts are written each minute, at the first event after it.
func TestWithoutBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		o := emfobserver.New(&out, emfobserver.Options{Consumer: "orders"})
		observe(o, consumer.Completed{})
		time.Sleep(time.Minute - time.Nanosecond)
		observe(o, consumer.Completed{})
		want(t, &out, "before the minute", map[string]int{})
		time.Sleep(time.Nanosecond)
		observe(o, consumer.Completed{})
		want(t, &out, "after a minute", map[string]int{"onlyonce Consumer=orders Outcome=completed Events": 3})
		observe(o, consumer.Completed{})
		want(t, &out, "right after", map[string]int{})
		time.Sleep(time.Minute - time.Nanosecond)
		if err := o.Flush(); err != nil {
			t.Error(err)
		}
		want(t, &out, "after Flush", map[string]int{"onlyonce Consumer=orders Outcome=completed Events": 1})
		time.Sleep(time.Second)
		observe(o, consumer.Completed{})
		want(t, &out, "a second after Flush", map[string]int{})
	})
}

// With an Interval the end of a batch writes nothing before it is over; Flush
// writes what is left.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		o := emfobserver.New(&out, emfobserver.Options{Consumer: "orders", Namespace: "Shop/EU", Interval: 10 * time.Second})
		for range 25 {
			observe(o, consumer.BatchDone{Records: 1, Done: 1})
			time.Sleep(time.Second)
		}
		if out.writes != 2 {
			t.Errorf("%d writes in 25 s, want one each 10 s", out.writes)
		}
		want(t, &out, "after 25 s", map[string]int{"Shop/EU Consumer=orders Outcome=done Events": 21})
		if err := o.Flush(); err != nil {
			t.Error(err)
		}
		want(t, &out, "after Flush", map[string]int{"Shop/EU Consumer=orders Outcome=done Events": 4})
	})
}

// What could not be written is written later; what was written in part is not
// written again.
func TestWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		o := emfobserver.New(&out, emfobserver.Options{Consumer: "orders"})
		out.fails = func() (int, error) { return 0, io.ErrClosedPipe }
		observe(o, consumer.Duplicate{}, consumer.BatchDone{})
		if err := o.Flush(); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v, want the writer's error", err)
		}
		out.fails = nil
		observe(o, consumer.Duplicate{}, consumer.BatchDone{})
		want(t, &out, "once it can be written", map[string]int{"onlyonce Consumer=orders Outcome=duplicate Events": 2})

		out.fails = func() (int, error) { return 1, io.ErrShortWrite }
		observe(o, consumer.Duplicate{}, consumer.BatchDone{})
		out.fails = nil
		observe(o, consumer.BatchDone{})
		want(t, &out, "after half a write", map[string]int{})
	})
}

// However many count and flush at once, each event is written once.
func TestConcurrent(t *testing.T) {
	var out output
	o := emfobserver.New(&out, emfobserver.Options{Consumer: "orders"})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				observe(o, consumer.Completed{}, consumer.Duplicate{}, consumer.BatchDone{Records: 2, Done: 2})
			}
		})
	}
	all.Wait()
	want(t, &out, "in the end", map[string]int{
		"onlyonce Consumer=orders Outcome=completed Events": 1600, "onlyonce Consumer=orders Outcome=duplicate Events": 1600,
		"onlyonce Consumer=orders Outcome=done Events": 3200,
	})
}

// Mistakes of wiring panic: a missing writer, and what CloudWatch would drop in
// silence.
func TestPanics(t *testing.T) {
	for name, o := range map[string]emfobserver.Options{
		"no consumer":        {},
		"blank consumer":     {Consumer: "  "},
		"consumer not ASCII": {Consumer: "bestellungen-für-alle"},
		"control character":  {Consumer: "orders\n"},
		"colon first":        {Consumer: ":orders"},
		"long consumer":      {Consumer: strings.Repeat("x", 1025)},
		"reserved namespace": {Consumer: "orders", Namespace: "AWS/SQS"},
		"namespace's colon":  {Consumer: "orders", Namespace: "a:b"},
		"long namespace":     {Consumer: "orders", Namespace: strings.Repeat("x", 256)},
		"negative interval":  {Consumer: "orders", Interval: -1},
	} {
		wantPanic(t, name, func() { emfobserver.New(io.Discard, o) })
	}
	wantPanic(t, "no writer", func() { emfobserver.New(nil, emfobserver.Options{Consumer: "orders"}) })
}

func wantPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "emfobserver: ") {
			t.Errorf("%s: panic %q, want one of this package", name, p)
		}
	}()
	f()
}
