package sim

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
)

// process is one life of a worker: from its start to its death nothing of it
// is shared with others, and after its death nothing of it reaches the world.
type process struct {
	w    *world
	name string
	host int

	once sync.Once
	life context.Context //nolint:containedctx // ends with the process
	die  context.CancelFunc
	died atomic.Int64 // when, by the ledger's clock; 0 while it lives

	// Guarded by the ledger.
	killed   moment           // zero unless it was
	outlived map[int][]moment // when answers were given while handlers of a key ran

	cutUntil  atomic.Int64 // the store cannot be reached until then, in Unix milliseconds
	outside   bool         // it is a part of AWS, not a worker
	invoked   atomic.Int32 // Lambda: invocations that it is in
	abandoned atomic.Bool  // a handler of it outlived its answer

	queue *sqs.Client
	store *dynamodedupe.Store
	guard *dedupe.Guard
}

var errDead = errors.New("sim: the process is dead")

// newProcess starts a process on a host.
func (w *world) newProcess(host int) *process {
	p := &process{w: w, host: host, outlived: map[int][]moment{}}
	p.life, p.die = context.WithCancel(context.Background())
	w.mu.Lock()
	w.processes[host]++
	number := w.processes[host]
	w.mu.Unlock()
	if w.plan.Hosts[host].Offset != 0 {
		w.ledger.trouble(AnotherClock)
	}
	p.name = string(rune('a'+host)) + "/" + strconv.Itoa(number)
	p.queue = w.sqs.Client(func(o *sqs.Options) { o.HTTPClient = &wire{p, SQS, w.sqs.HTTPClient()} })
	ddb := w.ddb.Client(func(o *dynamodb.Options) { o.HTTPClient = &wire{p, DynamoDB, w.ddb.HTTPClient()} })
	p.store = dynamodedupe.New(clocked{ddb, ms(w.plan.Hosts[host].Offset)}, table, dynamodedupe.Options{SingleItem: w.plan.SingleItem})
	var store dedupe.Store = p.store
	if w.history != nil {
		store = witnessed{store, w.history, host*1000 + number}
	}
	p.guard = dedupe.New(store, dedupe.Options{
		Consumer: "sim", Key: dedupe.Field("/id"), Lease: ms(w.plan.Lease),
		AtMostOnce: w.plan.Mode == AtMostOnce, Observer: p,
	})
	return p
}

// kill ends the process, as a plan does, or Lambda when an invocation takes too
// long. What it has on the way may still arrive.
func (p *process) kill() { p.end(true) }

// exit ends a process that has ended by itself.
func (p *process) exit() { p.end(false) }

func (p *process) end(killed bool) {
	p.once.Do(func() {
		l := p.w.ledger
		l.mu.Lock()
		now := l.now()
		p.died.Store(int64(now.tick))
		if killed {
			p.killed = now
			l.stats.Faults[Killed]++
		}
		l.mu.Unlock()
		p.die()
	})
}

func (p *process) isDead() bool { return p.died.Load() != 0 }

// context returns one that ends with the process.
func (p *process) context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(p.life, func() { cancel(errDead) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
