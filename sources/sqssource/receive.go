package sqssource

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
)

const (
	mostReceivers  = 32
	receiveBackoff = 250 * time.Millisecond
	storeBackoff   = time.Second
	mostPause      = 30 * time.Second
)

// receivers is how many receives are on the way, and how many may be: one
// while the queue is empty, more while they come back full. Guarded by run.mu.
type receivers struct {
	alive  int
	most   int
	asked  int // messages that they asked for
	empty  bool
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
		r.unlock()
		msgs, err := r.receive(n)
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
		if r.misery > 0 || r.recv.empty && r.seat.shared() {
			n = min(n, 1) // a scout
		}
		if n > 0 && !r.paused() {
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
	r.recv.empty = got == 0
	switch {
	case r.stopping:
	case got == 0 && r.recv.alive > 1:
		r.recv.alive--
		return false
	case got == n && r.recv.alive < r.recv.most && r.misery == 0:
		r.spawn()
	}
	return true
}

// receive makes one request. Its messages are in this process from now on.
func (r *run) receive(n int) ([]*message, error) {
	in := &sqs.ReceiveMessageInput{
		QueueUrl:                    &r.p.url,
		MaxNumberOfMessages:         int32(n),
		WaitTimeSeconds:             int32(r.p.o.Wait / time.Second),
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
	ctx, cancel := context.WithTimeout(r.polls, r.p.o.Wait+actionTimeout)
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
// ones may be of no use any more.
func (r *run) take(raw []types.Message, now time.Time) []*message {
	r.mu.Lock()
	defer r.unlock()
	fresh := make([]*message, 0, len(raw))
	for i := range raw {
		m := newMessage(raw[i], r.arn, r.fifo)
		r.report.Received++
		if known := r.here[m.id]; known != nil {
			known.handle, known.attempt, known.lost = m.handle, m.attempt, false
			r.keep(known, now)
			r.report.Duplicates++
			r.tell(consumer.Redelivered{Record: &m.rec})
			continue
		}
		r.here[m.id] = m
		r.byRec[&m.rec] = m
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
	if r.here[m.id] != m {
		return
	}
	r.stopBeats(m)
	delete(r.here, m.id)
	delete(r.byRec, &m.rec)
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
	wait := jittered(receiveBackoff, r.recv.misses)
	r.tell(consumer.QueueFailed{Queue: r.p.url, Op: "ReceiveMessage", Err: err, Wait: wait})
	r.unlock()
	pause(r.ctx, wait)
	return true
}

// fails notes that a request to the queue failed. r.mu is held.
func (r *run) fails() {
	if r.failing.IsZero() {
		r.failing = time.Now()
	}
}

// paused reports whether nothing is to be received now, because the store
// cannot be reached. r.mu is held.
func (r *run) paused() bool { return time.Now().Before(r.pausedTo) }

// storeFailed pauses receiving: what is received now could not be claimed, and
// would only count a receive. r.mu is held.
func (r *run) storeFailed(err error) {
	if r.paused() || r.stopping {
		return
	}
	r.misery++
	wait := jittered(storeBackoff, r.misery)
	r.pausedTo = time.Now().Add(wait)
	r.tell(consumer.Paused{Queue: r.p.url, Err: err, Wait: wait})
	if r.resume == nil {
		r.resume = time.AfterFunc(wait, func() { r.mu.Lock(); r.cond.Broadcast(); r.unlock() })
	} else {
		r.resume.Reset(wait)
	}
}

// storeAnswered ends what storeFailed began. r.mu is held.
func (r *run) storeAnswered() {
	if r.misery > 0 {
		r.misery, r.pausedTo = 0, time.Time{}
		r.cond.Broadcast()
	}
}

// jittered returns the wait after that many failures in a row: between a half
// and all of base, doubled each time.
func jittered(base time.Duration, failures int) time.Duration {
	d := min(base<<min(failures-1, 10), mostPause)
	return d/2 + mathrand.N(d/2)
}
