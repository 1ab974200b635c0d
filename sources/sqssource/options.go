package sqssource

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
)

// Client is what a [Poller] uses of an [sqs.Client].
type Client interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	GetQueueUrl(context.Context, *sqs.GetQueueUrlInput, ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Options configure a [Poller]. The zero value is safe.
type Options struct {
	// Decode takes an envelope off each message, such as
	// [sources.EventBridge] behind a rule that sends to the queue; a message
	// that it refuses fails. Defaults to none.
	Decode sources.Decoder

	// Concurrency is how many handlers run at once. Defaults to 64, and is
	// not for pollers that have Slots.
	Concurrency int

	// Slots are shared with other pollers of the process. Defaults to as many
	// slots as Concurrency says, of this poller alone.
	Slots *Slots

	// MaxMessages bounds the messages that are in this process at once, those
	// that wait for their message group included. Defaults to ten for each
	// handler slot.
	MaxMessages int

	// MaxBytes bounds the bodies and attributes of these messages, in bytes.
	// A message has 1 MiB at most (Amazon SQS message quotas), and so much is
	// set aside for each one that a receive asks for. Defaults to 128 MiB.
	MaxBytes int

	// TenantLimit is how many messages of one message group run at once on a
	// standard queue (fair queues), where the group is a tenant. Defaults to
	// no limit.
	TenantLimit int

	// DeadLetterURL is the queue that messages are moved to which no retry
	// can mend: those whose handler returned a [consumer.PermanentError], and
	// parked ones. Defaults to the dead-letter queue of the queue's redrive
	// policy; with neither they are retried like any other.
	DeadLetterURL string

	// Wait is how long a receive waits for a message, in whole seconds, from
	// 1 s to 20 s. Defaults to 20 s.
	Wait time.Duration

	// DrainTimeout is how long handlers may go on after the end of Run's
	// context: then their contexts end with [ErrDraining], and what still runs
	// 5 s later is given up. Defaults to 25 s.
	DrainTimeout time.Duration

	// AbandonPolls ends outstanding receives at once when Run's context ends.
	// SQS does not notice, and what such a receive is given is invisible for a
	// visibility timeout. Defaults to false: they are waited for, up to Wait
	// and a second, and release what they bring.
	AbandonPolls bool

	// Observer is told what the poller does. Defaults to the guard's.
	Observer consumer.Observer
}

const (
	defaultConcurrency  = 64
	messagesPerSlot     = 10
	defaultMaxBytes     = 128 << 20
	defaultDrainTimeout = 25 * time.Second
	longestWait         = 20 * time.Second // ReceiveMessage, WaitTimeSeconds
	mostMessages        = 10               // of one receive or one batch request
	largestMessage      = 1 << 20
)

// withDefaults checks o and fills in what was left out.
func (o Options) withDefaults() Options {
	switch {
	case o.Concurrency < 0, o.MaxMessages < 0, o.MaxBytes < 0, o.TenantLimit < 0, o.DrainTimeout < 0:
		panic("sqssource: New: an option is negative")
	case o.Slots != nil && o.Concurrency != 0:
		panic("sqssource: New takes Options.Slots or Options.Concurrency, not both")
	case o.Wait != 0 && (o.Wait < time.Second || o.Wait > longestWait || o.Wait%time.Second != 0):
		panic("sqssource: New: Options.Wait has to be whole seconds, from 1 to 20")
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Slots == nil {
		o.Slots = NewSlots(o.Concurrency)
	}
	o.Concurrency = o.Slots.total
	if o.MaxMessages == 0 {
		o.MaxMessages = messagesPerSlot * o.Concurrency
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Wait == 0 {
		o.Wait = longestWait
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = defaultDrainTimeout
	}
	return o
}
