package sqssource

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

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// usualVisibility is asked for by each receive where the queue has none: its
// messages would be visible again at once.
const usualVisibility = 30 * time.Second

// fewestReceives is the maxReceiveCount below which a message that was only
// unlucky is moved to the dead-letter queue.
const fewestReceives = 3

// setup asks the queue what it has to be treated like. It comes back without
// an answer only when ctx ends.
func (r *run) setup(ctx context.Context) error {
	attrs, err := r.attributes(ctx, r.p.url)
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the caller stops, which is no failure
	case err != nil:
		return &QueueError{URL: r.p.url, Op: "GetQueueAttributes", Err: err}
	}
	r.arn = attrs["QueueArn"]
	r.fifo = strings.HasSuffix(r.p.url, ".fifo") || strings.HasSuffix(r.arn, ".fifo")
	if r.fifo || r.p.o.TenantLimit > 0 {
		r.groups = make(map[string]*group)
	}
	r.visibility = seconds(attrs["VisibilityTimeout"])
	if r.visibility <= 0 {
		r.visibility, r.setVisibility = usualVisibility, true
		r.unfit(fmt.Sprintf("its visibility timeout is 0: the poller asks for %v with each receive", usualVisibility))
	}
	kept := r.findDeadLetters(ctx, attrs["RedrivePolicy"])
	r.compare(seconds(attrs["MessageRetentionPeriod"]), kept)
	r.mu.Lock()
	r.ready, r.failing = true, time.Time{}
	r.unlock()
	return nil
}

func (r *run) attributes(ctx context.Context, url string) (map[string]string, error) {
	var attrs map[string]string
	err := r.ask(ctx, "GetQueueAttributes", func(ctx context.Context) error {
		out, err := r.p.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err == nil {
			attrs = out.Attributes
		}
		return err
	})
	return attrs, err
}

// ask makes a request until it is answered, if only by a refusal, or ctx ends.
func (r *run) ask(ctx context.Context, op string, request func(context.Context) error) error {
	for try := 1; ; try++ {
		one, cancel := context.WithTimeout(ctx, actionTimeout)
		err := request(one)
		cancel()
		if err == nil || refused(err) || ctx.Err() != nil {
			return err
		}
		r.mu.Lock()
		r.fails()
		r.unlock()
		wait := jittered(receiveBackoff, mostPause, try)
		r.warn(consumer.QueueFailed{Queue: r.p.url, Op: op, Err: err, Wait: wait})
		pause.For(ctx, wait)
	}
}

// findDeadLetters reads the redrive policy and returns how long the
// dead-letter queue keeps messages, 0 when that is not known.
func (r *run) findDeadLetters(ctx context.Context, policy string) time.Duration {
	r.deadLetters = r.p.o.DeadLetterURL
	if policy == "" {
		if r.deadLetters == "" {
			r.unfit("it has no redrive policy: a message that always fails comes back until its retention ends")
		}
		return 0
	}
	var p struct {
		Target string `json:"deadLetterTargetArn"`
		Count  any    `json:"maxReceiveCount"` // a number, or one in a string
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		r.unfit("its redrive policy cannot be read: " + err.Error())
		return 0
	}
	r.maxReceives, _ = strconv.Atoi(fmt.Sprint(p.Count))
	if r.maxReceives < fewestReceives {
		r.unfit(fmt.Sprintf("its maxReceiveCount is %d: two unlucky deliveries take a message to the dead-letter queue; 5 or more is usual", r.maxReceives))
	}
	if r.deadLetters == "" {
		url, err := r.urlOf(ctx, p.Target)
		if err != nil && ctx.Err() == nil {
			r.unfit(fmt.Sprintf("its dead-letter queue %s was not found, so permanent failures are retried: %v", p.Target, err))
			return 0
		}
		r.deadLetters = url
	}
	attrs, err := r.attributes(ctx, r.deadLetters)
	if err != nil {
		return 0 // it is sent to, and need not be readable
	}
	return seconds(attrs["MessageRetentionPeriod"])
}

// urlOf returns the URL of the queue with that ARN.
func (r *run) urlOf(ctx context.Context, arn string) (string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 {
		return "", fmt.Errorf("%q is not the ARN of a queue", arn)
	}
	var url string
	err := r.ask(ctx, "GetQueueUrl", func(ctx context.Context) error {
		out, err := r.p.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &parts[5], QueueOwnerAWSAccountId: &parts[4]})
		if err == nil {
			url = aws.ToString(out.QueueUrl)
		}
		return err
	})
	return url, err
}

// compare tells where the queue contradicts the guard.
func (r *run) compare(kept, keptDead time.Duration) {
	g := r.p.guard
	if g == nil {
		return
	}
	if lease := g.Lease(); lease > r.visibility {
		r.unfit(fmt.Sprintf("its visibility timeout of %v is shorter than the guard's lease of %v: after a crash a message"+
			" comes back before it can be claimed, and costs a receive", r.visibility, lease))
	}
	if needed := kept + keptDead; needed > g.Retention() {
		r.warn(consumer.RetentionShort{Retention: g.Retention(), Needed: needed})
	}
}

func (r *run) unfit(why string) { r.warn(consumer.QueueUnfit{Queue: r.p.url, Why: why}) }

func (r *run) warn(e consumer.Event) {
	if r.observer != nil {
		r.observer.Observe(r.ctx, e)
	}
}

func seconds(text string) time.Duration {
	n, _ := strconv.Atoi(text)
	return time.Duration(n) * time.Second
}
