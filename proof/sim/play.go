package sim

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const (
	longest = time.Hour // in which a queue must be empty once nothing goes wrong
	// afterlife is how long a process may still try what it has begun when
	// nothing goes wrong any more, or when it has ended: the requests of handlers
	// that outlived their answer. No goroutine may be left after it.
	afterlife = time.Minute

	redrives = 8               // of what bad luck alone has dead-lettered
	checking = 2 * time.Second // of real time, for the history of one key
	hanging  = 7 * 24 * time.Hour
)

// Result is what came of a play.
type Result struct {
	Broken []string // promises, empty when all were kept
	Stats  Stats
}

// Play plays a plan and judges it. A play that never ends panics.
func Play(t *testing.T, p Plan) (out Result) {
	t.Helper()
	var history *witness
	synctest.Test(t, func(*testing.T) {
		watchdog := time.AfterFunc(hanging, func() { panic("sim: the play hangs: " + p.String()) })
		defer watchdog.Stop()
		w := newWorld(p)
		if os.Getenv("SIM_TRACE") != "" {
			w.trace = func(s string) { t.Log(s) }
		}
		broken := w.play()
		if w.trace != nil {
			for _, e := range w.sqs.History() {
				w.trace(fmt.Sprintf("%v sqs %s %v %s lost %v", e.Time.Sub(w.ledger.began), e.Op, w.names(e.MessageIDs), e.Code, e.Lost))
			}
		}
		out = w.judge(broken)
		history = w.history
	})
	if history != nil {
		out.check(history)
	}
	return out
}

// check looks for an order that explains the history of the store. Outside of
// the bubble, for it takes real time.
func (r *Result) check(h *witness) {
	if h.tooOpen() {
		r.Stats.Undecided++
		return
	}
	found := h.Check(checking)
	r.Stats.Histories, r.Stats.Operations = found.Keys, found.Operations
	if found.Open != "" {
		r.Stats.Undecided++
	}
	if found.Illegal != "" {
		r.Broken = append(r.Broken, "the store's answers about "+string(found.Illegal)+" are not linearizable:")
		r.Broken = append(r.Broken, found.History...)
	}
}

// play lets everything happen, and returns what was broken on the way.
func (w *world) play() (broken []string) {
	keeper := make(chan struct{})
	go func() {
		defer close(keeper)
		w.gate.run()
	}()
	stops := make([]func(), 0, len(w.plan.Hosts))
	for host := range w.plan.Hosts {
		stops = append(stops, w.start(host))
		pass(time.Millisecond) // so that the first requests come in this order
	}
	for _, k := range w.plan.Kills {
		if k.At == AtTime {
			time.AfterFunc(ms(k.Nth), func() { w.killAll(k.Host) }) // before the play ends
		}
	}
	w.chaos()
	if !w.drain() {
		broken = append(broken, "the queue is not empty an hour after the last fault")
	}
	broken = append(broken, w.redrive()...)
	broken = append(broken, w.replay()...)
	for _, stop := range stops {
		stop()
	}
	for _, all := range w.alive {
		for _, p := range all {
			p.exit()
		}
	}
	w.all.Wait()
	pass(afterlife)
	close(w.gate.closed)
	<-keeper
	return broken
}

func (w *world) killAll(host int) {
	w.mu.Lock()
	all := slices.Clone(w.alive[host])
	calm := w.calm
	w.mu.Unlock()
	for _, p := range all {
		if !calm {
			p.kill()
		}
	}
}

// chaos sends the messages, each in its time, and lasts until nothing goes
// wrong any more.
func (w *world) chaos() {
	order := make([]int, len(w.plan.Messages))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return w.plan.Messages[a].At - w.plan.Messages[b].At })
	for _, i := range order {
		m := w.plan.Messages[i]
		pass(ms(m.At) - w.ledger.since())
		w.send(i, m.Key)
	}
	pass(ms(w.plan.Calm) - w.ledger.since())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

func (w *world) drain() bool {
	return w.until(longest, func() bool { return w.sqs.Stats(w.queue).Total() == 0 })
}

// redrive brings dead letters back that were only unlucky, as a person would:
// when leases have ended and nothing is on its way to the store, and again. The
// release of a run that never started, which its worker still tries, makes a
// parked key free: one who looks before that gives up what is not hopeless.
func (w *world) redrive() (broken []string) {
	for range redrives {
		pass(afterlife)
		unlucky, hopeless := w.letters()
		if unlucky == 0 {
			return nil
		}
		if hopeless > 0 {
			w.sort()
		} else if _, err := w.client.StartMessageMoveTask(context.Background(), &sqs.StartMessageMoveTaskInput{
			SourceArn: aws.String(w.sqs.ARN(w.dead)), DestinationArn: aws.String(w.sqs.ARN(w.queue)),
		}); err != nil {
			panic("sim: redrive: " + err.Error())
		}
		if !w.drain() {
			return []string{"the queue is not empty an hour after a redrive"}
		}
	}
	if unlucky, _ := w.letters(); unlucky > 0 {
		return []string{"messages come back to the dead-letter queue from every redrive although nothing goes wrong"}
	}
	return nil
}

// sort sends the unlucky dead letters again and takes the hopeless ones out:
// in a batch of a FIFO queue these would take those behind them along.
func (w *world) sort() {
	in := &sqs.ReceiveMessageInput{QueueUrl: &w.deadURL, MaxNumberOfMessages: 10}
	for {
		out, err := w.client.ReceiveMessage(context.Background(), in)
		if err != nil {
			panic("sim: redrive: " + err.Error())
		}
		for _, m := range out.Messages {
			if key, message := parseBody(*m.Body); !w.hopeless(key) {
				w.send(message, key)
			} else {
				w.given[key] = true
			}
			if _, err := w.client.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: &w.deadURL, ReceiptHandle: m.ReceiptHandle}); err != nil {
				panic("sim: redrive: " + err.Error())
			}
		}
		if w.sqs.Stats(w.dead).Total() == 0 {
			return
		}
	}
}

// letters counts the dead letters.
func (w *world) letters() (unlucky, hopeless int) {
	for _, m := range w.sqs.Messages(w.dead) {
		if key, _ := parseBody(m.Body); w.hopeless(key) {
			hopeless++
		} else {
			unlucky++
		}
	}
	return unlucky, hopeless
}

// hopeless reports whether a key's work will never be done: it fails for good,
// or is parked.
func (w *world) hopeless(key int) bool {
	return w.plan.Keys[key].Never || w.row(key).state == "PARKED"
}

// replay sends everything that is finished once more: nothing of it runs.
func (w *world) replay() []string {
	before := w.ledger.runCount()
	n := len(w.plan.Messages)
	for key := range w.plan.Keys {
		if w.row(key).state == "COMPLETED" {
			w.send(n+key, key)
		}
	}
	if !w.drain() {
		return []string{"the queue is not empty an hour after a replay of finished work"}
	}
	if w.ledger.runCount() != before {
		return []string{"a replay of finished work was run"}
	}
	return nil
}

func (l *ledger) runCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

func (w *world) names(ids []string) (out []int) {
	for _, id := range ids {
		out = append(out, w.sent[id])
	}
	return out
}
