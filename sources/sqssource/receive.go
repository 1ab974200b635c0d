package sqssource

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	mostReceivers  = 16
	receiveBackoff = 250 * time.Millisecond
	mostPause      = 30 * time.Second
	sharedWait     = time.Second // the least for a long poll
)

// receivers is how many receives are on the way, and how many may be: one
// while the queue is empty, more while they come back full. Guarded by run.mu.
type receivers struct {
	alive  int
	trying int       // of them, those that do not wait for room or slots
	tried  time.Time // when the latest of those ended
	most   int
	asked  int       // messages that they asked for
	likely int       // messages that a receive will bring: on shared slots it asks for no more
	last   time.Time // of the latest answer
	misses int       // failures in a row
}

// spawn starts a receiver. r.mu is held.
func (r *run) spawn() {
	r.recv.alive++
	r.receiving.Go(r.receiver)
}

// receiver receives messages and starts them, until the run stops or there
// are receivers enough.
func (r *run) receiver() {
	for {
		want := r.room()
		if want == 0 {
			return
		}
		n := r.seat.take(r.ctx, want)
		r.mu.Lock()
		r.recv.asked -= want - n
		if n == 0 { // the run stops
			r.recv.alive--
			r.unlock()
			return
		}
		r.failing = r.failingSince()
		r.recv.trying++
		wait := r.wait(n)
		r.unlock()
		msgs, err := r.receive(n, wait)
		r.mu.Lock()
		r.recv.asked -= n
		r.cond.Broadcast()
		goOn := true
		if err == nil {
			goOn = r.adapt(n, len(msgs))
		}
		r.unlock()
		if err != nil {
			r.seat.put(n)
			goOn = r.receiveFailed(err)
		} else {
			r.start(msgs, n)
		}
		r.mu.Lock()
		r.recv.trying--
		r.recv.tried = time.Now()
		r.unlock()
		if !goOn {
			return
		}
	}
}

// room waits until a receive may ask for messages, and returns for how many:
// 0 when the run stops.
func (r *run) room() int {
	r.mu.Lock()
	defer r.unlock()
	for {
		if r.stopping {
			r.recv.alive--
			return 0
		}
		here := len(r.here) + r.recv.asked
		n := min(mostMessages, r.p.o.MaxMessages-here, (r.p.o.MaxBytes-r.bytes)/largestMessage-r.recv.asked)
		if here == 0 {
			n = max(n, 1)
		}
		switch {
		case r.outage.total:
			n = min(n, 1)
		case r.seat.shared():
			n = min(n, r.recv.likely)
		case n < mostMessages && r.recv.asked > 0:
			n = 0 // a small receive costs as much as a full one, and others are under way
		}
		if n > 0 && (!r.outage.total || r.outage.holding < mostProbes) {
			r.recv.asked += n
			return n
		}
		r.cond.Wait()
	}
}

// adapt notes how a receive of n messages came back, and reports whether its
// receiver is still needed. r.mu is held.
func (r *run) adapt(n, got int) bool {
	r.recv.last, r.recv.misses, r.failing = time.Now(), 0, time.Time{}
	if got == n {
		r.recv.likely = min(max(r.recv.likely, 2*n), mostMessages)
	} else {
		r.recv.likely = max(got, 1)
	}
	switch {
	case r.stopping:
	case got == 0 && r.recv.alive > 1:
		r.recv.alive--
		return false
	case got == n && r.recv.alive < r.recv.most && !r.outage.total:
		r.spawn()
	}
	return true
}

// wait returns how long a receive of n messages waits for one. Where other
// pollers want the slots that it holds, only a scout waits long. r.mu is held.
func (r *run) wait(n int) time.Duration {
	if r.seat.shared() && (n > 1 || r.recv.alive > 1) {
		return sharedWait
	}
	return r.p.o.Wait
}

// receive makes one request. Its messages are in this process from now on.
func (r *run) receive(n int, wait time.Duration) ([]*message, error) {
	in := &sqs.ReceiveMessageInput{
		QueueUrl:                    &r.p.url,
		MaxNumberOfMessages:         int32(n),
		WaitTimeSeconds:             int32(wait / time.Second),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	}
	if r.setVisibility {
		in.VisibilityTimeout = int32(r.visibility / time.Second)
	}
	if r.fifo {
		id := rand.Text() // of this receive and the SDK's retries of it
		in.ReceiveRequestAttemptId = &id
	}
	ctx, cancel := context.WithTimeout(r.polls, wait+actionTimeout)
	defer cancel()
	began := time.Now()
	out, err := r.p.client.ReceiveMessage(ctx, in)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if r.observer != nil && len(out.Messages) > 0 {
		r.observer.Observe(r.ctx, consumer.Received{
			Queue: r.p.url, Messages: len(out.Messages), Asked: n, Took: now.Sub(began),
		})
	}
	return r.take(out.Messages, now), nil
}

// take makes messages of what SQS delivered, and returns those that are new
// here. Of one that is here already only the receipt handle counts: older
// ones may be of no use any more. One that was on its way back is new: of a
// FIFO queue in any case, since what is new behind it must not run before it.
func (r *run) take(raw []types.Message, now time.Time) []*message {
	r.mu.Lock()
	defer r.unlock()
	fresh := make([]*message, 0, len(raw))
	for i := range raw {
		m := newMessage(&raw[i], r.arn, r.fifo)
		if m.id == "" || m.handle == "" { // two of them would be one message, and neither could be deleted
			r.tell(consumer.QueueFailed{Queue: r.p.url, Op: "ReceiveMessage", Err: errNoIdentity})
			continue
		}
		r.report.Received++
		known := r.here[m.id]
		if known != nil && known.leaving != nil { // its return was quicker than the answer to it
			r.gone(known, known.leaving.as)
			known = nil
		}
		if known != nil {
			known.handle, known.attempt, known.lost = m.handle, m.attempt, false
			r.keep(known, now)
			r.report.Duplicates++
			r.tell(consumer.Redelivered{Record: m.rec})
			continue
		}
		r.here[m.id] = m
		r.byRec[m.rec] = m
		r.bytes += m.size
		m.came = now
		r.keep(m, now)
		if r.finished.has(m.id) {
			m.finished = true
			r.act(&action{m: m, as: duplicate})
			continue
		}
		fresh = append(fresh, m)
	}
	return fresh
}

// gone ends m's stay in this process, counted as one ending. r.mu is held.
func (r *run) gone(m *message, as ending) {
	if m.left {
		return
	}
	m.left = true
	r.stopBeats(m)
	delete(r.here, m.id)
	r.forget(m)
	r.bytes -= m.size
	r.report.count(as)
	r.cond.Broadcast()
}

// receiveFailed waits after a receive that failed, and reports whether the
// receiver goes on.
func (r *run) receiveFailed(err error) bool {
	r.mu.Lock()
	r.fails()
	if r.stopping || fatal(err) {
		r.recv.alive--
		stopping := r.stopping
		r.unlock()
		if !stopping {
			r.fail(&QueueError{URL: r.p.url, Op: "ReceiveMessage", Err: err})
		}
		return false
	}
	if r.recv.alive > 1 {
		r.recv.alive--
		r.unlock()
		return false
	}
	r.recv.misses++
	wait := jittered(receiveBackoff, mostPause, r.recv.misses)
	r.tell(consumer.QueueFailed{Queue: r.p.url, Op: "ReceiveMessage", Err: err, Wait: wait})
	r.unlock()
	pause.For(r.ctx, wait)
	return true
}

// failingSince returns since when receives fail, zero also when none has been
// tried for a while, for want of room or slots. r.mu is held.
func (r *run) failingSince() time.Time {
	if r.ready && r.recv.trying == 0 && time.Since(r.recv.tried) > mostPause {
		return time.Time{}
	}
	return r.failing
}

// fails notes that a request to the queue failed. r.mu is held.
func (r *run) fails() {
	if r.failing.IsZero() {
		r.failing = time.Now()
	}
}

// jittered returns the wait after that many failures in a row: between a half
// and all of base, doubled each time up to most.
func jittered(base, most time.Duration, failures int) time.Duration {
	d := min(base<<min(failures-1, 10), most)
	return d/2 + mathrand.N(d/2)
}
