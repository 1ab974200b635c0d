package sqstest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// play is one performance of a schedule: the requests it makes and what it
// notes. A request that has to succeed and is refused ends the play, its error
// noted; one that gets no answer fails the test.
type play struct {
	testing.TB
	client *sqs.Client
	queues []string
	notes  []string
}

// code is the name of an error in the API, or "ok".
func (p *play) code(err error) string {
	var api smithy.APIError
	if err == nil {
		return "ok"
	}
	if !errors.As(err, &api) {
		p.Errorf("no answer of the server: %v", err)
		panic(ended{})
	}
	var generic *smithy.GenericAPIError
	if errors.As(err, &generic) {
		return generic.Code
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", api), "*types.")
}

// refused is for errors whose code is not documented: the client's fault.
func (p *play) refused(err error) string {
	var resp *awshttp.ResponseError
	code := p.code(err)
	if !errors.As(err, &resp) {
		return code
	}
	if status := resp.HTTPStatusCode(); status < 400 || status > 499 {
		return fmt.Sprint("status ", status)
	}
	return "refused"
}

func (p *play) must(what string, err error) {
	if err != nil {
		p.note("%s: %s", what, p.code(err))
		panic(ended{})
	}
}

// queue creates a standard queue of a fresh name.
func (p *play) queue(a attrs) *string { return p.create("q-"+rand.Text(), a) }

// fifo creates a FIFO queue of a fresh name.
func (p *play) fifo(a attrs) *string {
	a = maps.Clone(a)
	if a == nil {
		a = attrs{}
	}
	a["FifoQueue"] = "true"
	return p.create("q-"+rand.Text()+".fifo", a)
}

func (p *play) create(name string, a attrs) *string {
	url, err := p.tryCreate(name, a)
	p.must("create queue", err)
	return url
}

func (p *play) tryCreate(name string, a attrs) (*string, error) {
	out, err := p.client.CreateQueue(p.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: a})
	if err != nil {
		return nil, err
	}
	p.queues = append(p.queues, *out.QueueUrl)
	return out.QueueUrl, nil
}

func (p *play) deleteQueues() {
	for _, url := range p.queues {
		// It may be gone already, as part of the play.
		p.client.DeleteQueue(context.WithoutCancel(p.Context()), &sqs.DeleteQueueInput{QueueUrl: &url})
	}
}

func (p *play) attributes(url *string) attrs {
	out, err := p.client.GetQueueAttributes(p.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"},
	})
	p.must("get attributes", err)
	return out.Attributes
}

// redrivesTo is the attributes of a queue with the dead-letter queue dlq.
func (p *play) redrivesTo(dlq *string, maxReceives int) attrs {
	return attrs{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`,
		p.attributes(dlq)["QueueArn"], maxReceives)}
}

func (p *play) trySend(url *string, body string, edit ...func(*sqs.SendMessageInput)) (*sqs.SendMessageOutput, error) {
	in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}
	for _, f := range edit {
		f(in)
	}
	return p.client.SendMessage(p.Context(), in)
}

func (p *play) send(url *string, body string, edit ...func(*sqs.SendMessageInput)) *sqs.SendMessageOutput {
	out, err := p.trySend(url, body, edit...)
	p.must("send", err)
	return out
}

// sendGroup sends bodies such as "a1", whose first letter is their group.
func (p *play) sendGroup(url *string, all ...string) {
	for _, body := range all {
		p.send(url, body, group(body[:1]))
	}
}

// tryReceive asks for ten messages and waits up to ten seconds for the first:
// a short poll may miss it.
func (p *play) tryReceive(url *string, edit ...func(*sqs.ReceiveMessageInput)) ([]types.Message, error) {
	in := &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	}
	for _, f := range edit {
		f(in)
	}
	out, err := p.client.ReceiveMessage(p.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

func (p *play) receive(url *string, edit ...func(*sqs.ReceiveMessageInput)) []types.Message {
	msgs, err := p.tryReceive(url, edit...)
	p.must("receive", err)
	return msgs
}

// one receives exactly one message.
func (p *play) one(url *string, edit ...func(*sqs.ReceiveMessageInput)) types.Message {
	msgs := p.receive(url, edit...)
	if len(msgs) != 1 {
		p.note("wanted one message: %s", show(msgs))
		panic(ended{})
	}
	return msgs[0]
}

// collect receives until it has n messages, since a standard queue may return
// fewer than there are, and sorts them by their bodies.
func (p *play) collect(url *string, n int) (all []types.Message) {
	for len(all) < n {
		msgs := p.receive(url)
		if len(msgs) == 0 {
			break
		}
		all = append(all, msgs...)
	}
	slices.SortFunc(all, func(a, b types.Message) int { return strings.Compare(*a.Body, *b.Body) })
	return all
}

// left notes what a long poll of one second finds.
func (p *play) left(url *string) { p.note("left: %s", show(p.receive(url, wait(1)))) }

func (p *play) delete(url *string, m types.Message) error {
	_, err := p.client.DeleteMessage(p.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
	return err
}

func (p *play) change(url *string, m types.Message, timeout int32) error {
	_, err := p.client.ChangeMessageVisibility(p.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: timeout,
	})
	return err
}

// after notes how long something took: the whole of least, when it ended
// neither before nor only at the end of the long poll of ten seconds. Servers
// count in milliseconds, and round.
func (p *play) after(what string, start time.Time, least time.Duration) {
	took := time.Since(start)
	if took > least-5*time.Millisecond && took < 9*time.Second {
		took = least
	}
	p.note("%s: after %v", what, took.Round(10*time.Millisecond))
}

func hidden(seconds int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = seconds }
}

func delayed(seconds int32) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) { in.DelaySeconds = seconds }
}

// show lists bodies in the order of the messages.
func show(msgs []types.Message) string {
	if len(msgs) == 0 {
		return "nothing"
	}
	return bodies(msgs)
}

// system is a system attribute of a message.
func system(m types.Message, name string) string { return m.Attributes[name] }

// failed lists the entries that failed, with their codes.
func failed(entries []types.BatchResultErrorEntry) string {
	var out []string
	for _, e := range entries {
		out = append(out, aws.ToString(e.Id)+"="+aws.ToString(e.Code))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
