package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// way is how messages reach the worker.
type way string

// The ways and stores.
const (
	viaPoll   way = "poll"
	viaLambda way = "lambda"

	onBolt     = "bbolt"
	onDynamoDB = "DynamoDB"
)

// endpoint is the variable that says where DynamoDB is.
const endpoint = "ONLYONCE_DYNAMODB_ENDPOINT"

const (
	consumerName = "crash"
	keyPointer   = "/order_id"
	queueName    = "orders"
	deadName     = "orders-dead"
	maxReceives  = 200             // a kill costs a receive of all that is in flight
	visibility   = 3 * time.Second // and the function's timeout
	leaseTime    = 3 * time.Second
	slots        = 8
	invocations  = 2
	backlog      = 80 // visible messages at the start of each life
	drainTime    = 2 * time.Minute
	groupSize    = 100
)

type bedOptions struct {
	way    way
	store  string
	worker string // its binary
	seed   uint64
	dir    string
}

// bed is one way to reach the worker with one store.
type bed struct {
	o       bedOptions
	random  *mathrand.Rand
	ledger  *ledger
	queue   *sqstest.Server
	played  *httptest.Server // the DynamoDB, if none was named
	client  *dynamodb.Client
	orders  int
	lives   int
	ends    map[int]point // of each life
	killed  map[point]int
	log     string
	storeAt string // the file or table

	storeName   string // as the worker's flag
	dynamoURL   string
	queueServer string // for poll
	queueURL    string
}

func newBed(ctx context.Context, o bedOptions) (*bed, error) {
	b := &bed{
		o: o, random: mathrand.New(mathrand.NewPCG(o.seed, 6)), ledger: newLedger(), ends: map[int]point{}, killed: map[point]int{},
		queue: sqstest.New(sqstest.Options{Seed: o.seed, Duplicate: 0.05}), log: filepath.Join(o.dir, "worker.log"),
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	b.queue.CreateQueue(deadName, nil)
	base, err := b.queue.Start() //nolint:contextcheck // it lives until it is closed
	if err != nil {
		return nil, err
	}
	b.queueURL = b.queue.CreateQueue(queueName, map[string]string{
		"VisibilityTimeout": strconv.Itoa(int(visibility.Seconds())),
		"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, b.queue.ARN(deadName), maxReceives),
	})
	if o.way == viaPoll {
		b.queueServer = base
	}
	if o.store == onBolt {
		b.storeAt = filepath.Join(o.dir, "store.db")
		b.storeName = "bolt:" + b.storeAt
		return b, nil
	}
	if err := b.openDynamoDB(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// whose says in words which store it is.
func whose(kind string) string {
	switch {
	case kind != onDynamoDB:
		return kind
	case os.Getenv("ONLYONCE_AWS_ENDPOINT") != "": // scripts/ministack.sh
		return kind + " of ministack"
	case os.Getenv(endpoint) != "":
		return kind + " of another server"
	}
	return kind + " as played"
}

func (b *bed) openDynamoDB(ctx context.Context) error {
	b.dynamoURL = os.Getenv(endpoint)
	if b.dynamoURL == "" {
		b.played = httptest.NewServer(ddbtest.New(ddbtest.Options{}).Handler())
		b.dynamoURL = b.played.URL
	}
	b.client = dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(b.dynamoURL), HTTPClient: dynamodedupe.HTTPClient(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	b.storeAt = "crash-" + rand.Text()
	b.storeName = "dynamodb:" + b.storeAt
	return dynamodedupe.CreateTable(ctx, b.client, b.storeAt)
}

func (b *bed) close(ctx context.Context) error {
	var errs []error
	if b.client != nil && b.played == nil { // a server that others use
		_, err := b.client.DeleteTable(context.WithoutCancel(ctx), &dynamodb.DeleteTableInput{TableName: &b.storeAt})
		errs = append(errs, err)
	}
	if b.played != nil {
		b.played.Close()
	}
	return errors.Join(append(errs, b.queue.Close())...)
}

// torment kills the worker so often, lets its last life finish the work, and
// judges. A bed that is given up on the way is not judged.
func (b *bed) torment(ctx context.Context, kills int) result {
	began := time.Now()
	ps := points(b.o.way, b.o.store)
	for range kills {
		if err := errors.Join(b.send(ctx), b.killOnce(ctx, drawPlan(b.random, ps))); err != nil {
			return b.result(began, b.withLog(err))
		}
	}
	if err := b.finish(ctx); err != nil {
		return b.result(began, b.withLog(err))
	}
	b.ledger.ended()
	if n := b.queue.Stats(deadName).Total(); n > 0 {
		b.ledger.found("%d messages in the dead-letter queue", n)
	}
	return b.result(began, nil)
}

// send sends orders until there are enough. Every tenth is sent twice.
func (b *bed) send(ctx context.Context) error {
	for b.queue.Stats(queueName).Visible < backlog {
		b.orders++
		name := fmt.Sprint("o", b.orders)
		body := fmt.Sprintf(`{"order_id":%q}`, name)
		key, err := dedupe.KeyOf(consumerName, dedupe.Field(keyPointer), &consumer.Record{Body: []byte(body)})
		if err != nil {
			return err
		}
		b.ledger.sent(key, name)
		for range 1 + b.orders%10/9 {
			if _, err := b.queue.Client().SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &b.queueURL, MessageBody: &body}); err != nil {
				return err
			}
		}
	}
	return nil
}

// killOnce lets one life end as planned, and reads the store after it.
func (b *bed) killOnce(ctx context.Context, p plan) error {
	l, err := b.live(ctx, p)
	if err != nil {
		return err
	}
	timer := time.NewTimer(p.after)
	defer timer.Stop()
	exited := false
	select {
	case <-l.doomed:
	case <-l.exited:
		exited = true
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.strike(false)
	at := p.point
	if !l.met.Load() {
		at = atRandom
		if exited {
			err = errors.New("the worker ended by itself")
		}
	}
	b.killed[at]++
	b.ends[l.number] = at
	return errors.Join(err, l.bury(ctx), b.look(ctx, false))
}

// finish lets a life that is not killed do what is left.
func (b *bed) finish(ctx context.Context) error {
	l, err := b.live(ctx, plan{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, drainTime, errors.New("the queue does not get empty"))
	defer cancel()
	err = until(ctx, func() bool { return b.queue.Stats(queueName).Total() == 0 })
	return errors.Join(err, l.stop(ctx), l.bury(ctx), b.look(ctx, true))
}

// until returns when it is true, or with the cause why ctx ended before.
func until(ctx context.Context, isTrue func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !isTrue() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// look reads the store, while no worker lives: the orders that were not done
// when it was last read, or all.
func (b *bed) look(ctx context.Context, all bool) error {
	store, closeStore, err := b.open()
	if err != nil {
		return err
	}
	keys := b.ledger.open()
	was := map[dedupe.Key]bool{}
	if all {
		for _, key := range b.ledger.done() {
			was[key] = true
			keys = append(keys, key)
		}
	}
	for group := range slices.Chunk(keys, groupSize) {
		ops := make([]dedupe.Op, len(group))
		for i, key := range group {
			// Of an owner that no claim has had: it changes nothing and shows the row.
			ops[i] = dedupe.Op{Kind: dedupe.OpRelease, Key: key, Owner: dedupe.Owner{0: 0xff}}
		}
		vs, err := store.Apply(ctx, ops)
		if err != nil {
			return errors.Join(err, closeStore())
		}
		for i, v := range vs {
			done := v.Outcome == dedupe.Lost && v.Row.State == dedupe.Completed
			switch {
			case v.Outcome != dedupe.Lost:
				b.ledger.found("reading %q: %v, %v", group[i], v.Outcome, v.Err)
			case done && !was[group[i]]:
				b.ledger.recorded(group[i])
			case !done && was[group[i]]:
				b.ledger.found("%q was recorded as done and is now %v", group[i], v.Row.State)
			}
		}
	}
	return closeStore()
}

// open opens the store beside the worker, which must not live.
func (b *bed) open() (dedupe.Store, func() error, error) {
	if b.o.store == onBolt {
		s, err := boltdedupe.Open(b.storeAt, boltdedupe.Options{})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	return dynamodedupe.New(b.client, b.storeAt), func() error { return nil }, nil
}

const logTail = 2000 // bytes

// withLog adds the end of what the worker said.
func (b *bed) withLog(err error) error {
	said, _ := os.ReadFile(b.log)
	return fmt.Errorf("%w\nthe worker said: %s", err, said[max(len(said)-logTail, 0):])
}
