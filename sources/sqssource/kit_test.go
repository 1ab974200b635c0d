package sqssource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

type attrs = map[string]string

// setting is what a test is made of. Its zero value is the queue "orders" on a
// server without faults, and a guard on a store in memory.
type setting struct {
	server   sqstest.Options
	queue    string         // its name
	attrs    attrs          // of the queue
	receives int            // with a dead-letter queue, "dead" or "dead.fifo": its maxReceiveCount
	noGuard  bool           // everything is admitted
	guard    dedupe.Options // Consumer and Observer are filled in
}

// bed is a server with a queue, and all that pollers did on it.
type bed struct {
	testing.TB
	server     *sqstest.Server
	client     *meter
	queue, url string
	dead       string // the dead-letter queue's name, empty without one
	store      store
	guard      *dedupe.Guard
	ledger     *ledger
	events     *events
	began      time.Time

	sent    []string          // the labels of what was sent
	urls    map[string]string // of the queues by name
	left    map[string]int    // how many messages are to stay, by queue
	repeats bool              // work may be finished twice
	runs    []*running
}

// bubble runs f in a bubble of fake time, and then checks what every test is
// to leave behind: see [bed.check].
func bubble(t *testing.T, set setting, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		watchdog := time.AfterFunc(7*24*time.Hour, func() { panic("the test hangs") })
		defer watchdog.Stop()
		b := newBed(t, set)
		f(b)
		b.check()
	})
}

func newBed(t *testing.T, set setting) *bed {
	set.server.HistorySize = 200_000
	b := &bed{
		TB: t, server: sqstest.New(set.server), queue: set.queue, began: time.Now(), ledger: newLedger(),
		urls: make(map[string]string), left: make(map[string]int),
	}
	b.events = &events{began: b.began}
	b.client = &meter{Client: b.server.Client()}
	if b.queue == "" {
		b.queue = "orders"
	}
	all := maps.Clone(set.attrs)
	if set.receives > 0 {
		b.dead = "dead"
		if strings.HasSuffix(b.queue, ".fifo") {
			b.dead = "dead.fifo"
		}
		b.create(b.dead, nil)
		if all == nil {
			all = attrs{}
		}
		all["RedrivePolicy"] = redrive(b.server.ARN(b.dead), set.receives)
	}
	b.url = b.create(b.queue, all)
	if !set.noGuard {
		set.guard.Consumer, set.guard.Observer = "test", b.events
		b.guard = dedupe.New(&b.store, set.guard)
	}
	return b
}

func redrive(arn string, receives int) string {
	policy, _ := json.Marshal(map[string]any{"deadLetterTargetArn": arn, "maxReceiveCount": receives})
	return string(policy)
}

// create makes one more queue and returns its URL.
func (b *bed) create(name string, a attrs) string {
	b.urls[name] = b.server.CreateQueue(name, a)
	return b.urls[name]
}

// send sends one message whose label, the first word of its body, must be new.
func (b *bed) send(body string, edit ...func(*sqs.SendMessageInput)) {
	b.Helper()
	b.sendTo(b.url, body, edit...)
}

func (b *bed) sendTo(url, body string, edit ...func(*sqs.SendMessageInput)) {
	b.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
	for _, f := range edit {
		f(in)
	}
	if slices.Contains(b.sent, label(body)) {
		b.Fatalf("%q was sent before", label(body))
	}
	if _, err := b.client.SendMessage(b.Context(), in); err != nil {
		b.Fatalf("send %q: %v", label(body), err)
	}
	b.sent = append(b.sent, label(body))
}

// group puts a message into a message group. On a FIFO queue its body is the
// deduplication id.
func group(id string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageGroupId = &id
		if strings.HasSuffix(*in.QueueUrl, ".fifo") {
			in.MessageDeduplicationId = in.MessageBody
		}
	}
}

// sendMany sends that many messages to the bed's queue, m0, m1, ...
func (b *bed) sendMany(n int) {
	b.Helper()
	b.sendManyTo(b.url, "m", n)
}

func (b *bed) sendManyTo(url, prefix string, n int) {
	b.Helper()
	for n > 0 {
		var batch []types.SendMessageBatchRequestEntry
		for ; n > 0 && len(batch) < 10; n-- {
			body := fmt.Sprint(prefix, len(b.sent))
			b.sent = append(b.sent, body)
			batch = append(batch, types.SendMessageBatchRequestEntry{Id: &body, MessageBody: &body})
		}
		out, err := b.client.SendMessageBatch(b.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: batch})
		if err != nil || len(out.Failed) > 0 {
			b.Fatalf("send: %v, %v", err, out)
		}
	}
}

// label is the first word of a body: what a message is known by here.
func label(body string) string {
	word, _, _ := strings.Cut(body, " ")
	return word
}

// running is one Run of a poller.
type running struct {
	b      *bed
	poller *sqssource.Poller
	cancel context.CancelFunc
	done   chan struct{}
	waited bool
	report sqssource.Report
	err    error
}

// start runs a poller of the bed's queue until the test ends, unless it is
// stopped before.
func (b *bed) start(h consumer.HandlerFunc, o sqssource.Options) *running {
	return b.startOn(b.url, h, o)
}

func (b *bed) startOn(url string, h consumer.HandlerFunc, o sqssource.Options) *running {
	if o.Observer == nil && b.guard == nil {
		o.Observer = b.events
	}
	return b.run(sqssource.New(b.client, url, b.guard, b.ledger.handler(h), o))
}

func (b *bed) run(p *sqssource.Poller) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{b: b, poller: p, cancel: cancel, done: make(chan struct{})}
	b.runs = append(b.runs, r)
	go func() {
		defer close(r.done)
		r.report, r.err = p.Run(ctx)
	}()
	return r
}

// stop ends the poller and returns its report; it fails when Run returned an
// error.
func (r *running) stop() sqssource.Report {
	r.b.Helper()
	r.cancel()
	report, err := r.wait()
	if err != nil {
		r.b.Errorf("Run: got error %v, want nil", err)
	}
	return report
}

// wait waits for Run to return.
func (r *running) wait() (sqssource.Report, error) {
	<-r.done
	r.waited = true
	r.cancel()
	return r.report, r.err
}

// until lets time pass until ok, ten milliseconds at a time or a thousandth of
// what has passed, and fails after a day of it.
func (b *bed) until(what string, ok func() bool) {
	b.Helper()
	for began := time.Now(); ; time.Sleep(max(10*time.Millisecond, time.Since(began)/1000)) {
		synctest.Wait()
		if ok() {
			return
		}
		if time.Since(began) > 24*time.Hour {
			b.Fatalf("not within a day: %s; queue %+v", what, b.server.Stats(b.queue))
		}
	}
}

// drain lets time pass until the bed's queue is empty.
func (b *bed) drain() {
	b.Helper()
	b.until("the queue is empty", func() bool { return b.server.Stats(b.queue).Total() == 0 })
}

// check ends the pollers that still run and fails unless
//   - each report sums up, and no Run failed without being asked for it,
//   - no message is left in any queue but those that the test expects,
//   - all that was sent was finished, once, or is still in a queue,
//   - no goroutine is left.
func (b *bed) check() {
	b.Helper()
	for _, r := range b.runs {
		if !r.waited {
			r.stop()
		}
		if rep := r.report; rep.Received != rep.Done+rep.Duplicates+rep.Failed+rep.Released+rep.Unsettled {
			b.Errorf("report: %+v does not sum up", rep)
		}
	}
	b.server.Fault(nil)
	there := make(map[string]bool)
	for name := range b.urls {
		for _, m := range b.server.Messages(name) {
			there[label(m.Body)] = true
		}
		if got, want := b.server.Stats(name).Total(), b.left[name]; got != want {
			b.Errorf("left in queue %s: got %d messages, want %d", name, got, want)
		}
	}
	for _, l := range b.sent {
		switch n := b.ledger.finished(l); {
		case n == 0 && !there[l]:
			b.Errorf("%s is lost: neither finished nor in a queue", l)
		case n > 1 && !b.repeats:
			b.Errorf("%s was finished %d times", l, n)
		}
	}
	synctest.Wait()
	for _, g := range others() {
		b.Errorf("a goroutine is left:\n%s", g)
	}
}

// others returns the stacks of the other goroutines of this bubble, but for
// those that wait for it.
func others() []string {
	buf := make([]byte, 1<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	_, own, _ := strings.Cut(all[0], "synctest bubble ")
	own, _, _ = strings.Cut(own, "]")
	return slices.DeleteFunc(all[1:], func(g string) bool {
		head, _, _ := strings.Cut(g, "\n")
		return !strings.Contains(head, "synctest bubble "+own+"]") || strings.Contains(g, "testing/synctest.Test(") || strings.Contains(g, "testing/synctest.Test.func1(")
	})
}

// requests returns what the server answered to that operation on the bed's
// queue.
func (b *bed) requests(op string) []sqstest.Event {
	return slices.DeleteFunc(b.server.History(), func(e sqstest.Event) bool { return e.Op != op || e.Queue != b.queue })
}

// entries returns how many messages the requests of that operation concerned.
func (b *bed) entries(op string) int {
	n := 0
	for _, e := range b.requests(op) {
		n += len(e.MessageIDs)
	}
	return n
}

// since returns the time since the test began.
func (b *bed) since() time.Duration { return time.Since(b.began) }

// wantReport compares a report.
func (b *bed) wantReport(got, want sqssource.Report) {
	b.Helper()
	if got != want {
		b.Errorf("report: got %+v, want %+v", got, want)
	}
}

var errNo = errors.New("no")

// drainAway receives all that is visible, as somebody who then dies.
func drainAway(b *bed, client *sqs.Client) {
	b.Helper()
	for {
		out, err := client.ReceiveMessage(b.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url, MaxNumberOfMessages: 10})
		if err != nil {
			b.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return
		}
	}
}
