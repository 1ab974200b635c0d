package sqssource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/deadletter"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	mostAttributes = 10  // of one message (Amazon SQS message quotas)
	mostReason     = 512 // bytes
	buryTries      = 3
)

// errNoRoom is why a message is left for SQS to move, which keeps its id: a
// copy without it that doubles would be two messages.
var errNoRoom = errors.New("sqssource: ten message attributes leave no room for the id")

// hopeless reports whether a message that failed so is to be moved to the
// dead-letter queue at once.
func (r *run) hopeless(err error) bool {
	return r.deadLetters != "" && (consumer.IsPermanent(err) || errors.Is(err, dedupe.ErrParked))
}

// bury moves a message to the dead-letter queue and reports whether it did;
// else it is treated as one that may still succeed. A copy that is sent twice has the same
// identity: that of the message it was.
func (r *run) bury(m *message, why error) bool {
	var err error
	for try := range buryTries {
		if try > 0 {
			pause.For(r.wireCtx, jittered(receiveBackoff, mostPause, try))
		}
		err = r.sendDeadLetter(m, why)
		if err == nil || fatal(err) || errors.Is(err, errNoRoom) || r.ctx.Err() != nil { // a stop has no time for more
			break
		}
	}
	if r.observer != nil {
		r.observer.Observe(r.ctx, consumer.DeadLettered{Record: m.rec, Queue: r.deadLetters, Reason: why, Err: err})
	}
	r.mu.Lock()
	defer r.unlock()
	if err == nil {
		m.finished = true
		if g := m.group; g != nil {
			g.failed, g.err = nil, nil
		}
		r.act(&action{m: m, as: failed})
		return true
	}
	if g := m.group; g != nil && r.fifo {
		r.holdGroup(g)
	} else {
		r.giveBack(m, why)
	}
	return false
}

func (r *run) sendDeadLetter(m *message, why error) error {
	ctx, cancel := context.WithTimeout(r.wireCtx, actionTimeout)
	defer cancel()
	in := &sqs.SendMessageInput{
		QueueUrl: &r.deadLetters, MessageBody: m.raw.Body, MessageAttributes: maps.Clone(m.raw.MessageAttributes),
	}
	set := func(name, value string) {
		if in.MessageAttributes == nil {
			in.MessageAttributes = make(map[string]types.MessageAttributeValue, 2)
		}
		if _, there := in.MessageAttributes[name]; there || len(in.MessageAttributes) < mostAttributes && value != "" {
			in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
	}
	set(deadletter.MessageID, deadletter.ID(m.rec.Attributes, m.id))
	set(deadletter.Reason, reason(why))
	if trace := m.raw.Attributes[string(types.MessageSystemAttributeNameAWSTraceHeader)]; trace != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: &trace},
		}
	}
	if id, ok := m.raw.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)]; ok {
		in.MessageGroupId = &id
	}
	if strings.HasSuffix(r.deadLetters, ".fifo") {
		in.MessageDeduplicationId = &m.id // as SQS itself does
		if in.MessageGroupId == nil {
			in.MessageGroupId = &m.id
		}
	}
	if _, told := in.MessageAttributes[deadletter.MessageID]; !told && in.MessageDeduplicationId == nil {
		return errNoRoom
	}
	_, err := r.p.client.SendMessage(ctx, in)
	return err
}

// reason returns what of an error is told in an attribute: text that SQS
// takes.
func reason(err error) string {
	s := strings.Map(func(c rune) rune {
		if c == utf8.RuneError || c < ' ' || c == 0xFFFE || c == 0xFFFF {
			return ' '
		}
		return c
	}, fmt.Sprint(err)) // not err.Error(): a nil pointer in an error panics there
	if len(s) > mostReason {
		cut := mostReason
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return s
}
