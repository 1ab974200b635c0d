package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// producer sends the demo's orders, some of them twice, as a producer does
// that heard nothing of its first try.
type producer struct {
	client  *sqs.Client
	url     string
	run     string // makes the orders of this run others than those of the last
	orders  int
	luck    luck
	waiting func() int // messages in the queue that can be received

	batch []int // orders to be sent together
}

// The producer keeps the queue filled, not full: how many orders there are
// must not show in the memory that the demo takes.
const (
	queueFilled = 500
	sendBatch   = 10 // what SQS takes at once
	resendAfter = 60 // orders between an order and its second message

	// What a machine could do in the blink of an eye is spread over a few
	// seconds, for those who watch.
	spread = 3 * time.Second
	burst  = 40
)

// send sends everything. first is called when the queue is filled, or
// everything is sent.
func (p *producer) send(ctx context.Context, first func()) error {
	began := time.Now()
	var again []int
	for n := range p.orders {
		if err := p.add(ctx, n); err != nil {
			return err
		}
		for len(again) > 0 && again[0] <= n-resendAfter {
			if err := p.add(ctx, again[0]); err != nil {
				return err
			}
			again = again[1:]
		}
		if p.luck.twice(n) {
			again = append(again, n)
		}
		if (n+1)%burst != 0 {
			continue
		}
		due := began.Add(spread * time.Duration(n) / time.Duration(p.orders))
		for wait := time.Until(due); wait > 0 || p.waiting() >= queueFilled; wait = time.Until(due) {
			first()
			if !pause.For(ctx, max(wait, 5*time.Millisecond)) {
				return ctx.Err()
			}
		}
	}
	for _, n := range again {
		if err := p.add(ctx, n); err != nil {
			return err
		}
	}
	err := p.flush(ctx)
	first()
	return err
}

// add sends an order's message with the next batch.
func (p *producer) add(ctx context.Context, n int) error {
	if p.batch = append(p.batch, n); len(p.batch) < sendBatch {
		return nil
	}
	return p.flush(ctx)
}

func (p *producer) flush(ctx context.Context) error {
	numbers := p.batch
	p.batch = p.batch[:0]
	if len(numbers) == 0 {
		return nil
	}
	in := &sqs.SendMessageBatchInput{QueueUrl: &p.url}
	for i, n := range numbers {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
			Id:          aws.String(strconv.Itoa(i)),
			MessageBody: aws.String(fmt.Sprintf(`{"order_id":%q,"item":"espresso","amount":%d}`, p.run+"-"+strconv.Itoa(n), 200+n%7*50)),
		})
	}
	out, err := p.client.SendMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	if len(out.Failed) > 0 {
		return fmt.Errorf("send orders: %s", aws.ToString(out.Failed[0].Message))
	}
	return nil
}

// orderNumber reads the number at the end of an order id.
func orderNumber(id string) (int, bool) {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	return n, err == nil && n >= 0
}

// numberIn returns the number of the order in a message's body.
func numberIn(body string) (int, bool) {
	var o struct {
		OrderID string `json:"order_id"`
	}
	if json.Unmarshal([]byte(body), &o) != nil {
		return 0, false
	}
	return orderNumber(o.OrderID)
}
