package zapobserver

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// describeQueue is describe for the events of pollers.
func describeQueue(e consumer.Event) (zapcore.Level, string) {
	switch e := e.(type) {
	case consumer.Received:
		return zap.DebugLevel, "received"
	case consumer.Redelivered:
		return zap.InfoLevel, "delivered again while it is here, not run"
	case consumer.Returned:
		return zap.DebugLevel, "kept away for a while"
	case consumer.VisibilityLost:
		return zap.WarnLevel, "visibility timeout lost"
	case consumer.DeleteFailed:
		return zap.WarnLevel, "finished but not deleted"
	case consumer.DeadLettered:
		if e.Err != nil {
			return zap.ErrorLevel, "could not be moved to the dead-letter queue, is retried"
		}
		return zap.WarnLevel, "moved to the dead-letter queue"
	case consumer.QueueFailed:
		return zap.WarnLevel, "request to the queue failed, made again"
	case consumer.QueueUnfit:
		return zap.WarnLevel, "queue is set up badly"
	case consumer.Paused:
		return zap.WarnLevel, "receiving pauses: the store cannot be reached"
	}
	return zap.DebugLevel, "event"
}

// queue adds what the events of pollers have to say.
func (l *line) queue(e consumer.Event) {
	switch e := e.(type) {
	case consumer.Received:
		l.add(zap.String("queue", e.Queue), zap.Int("messages", e.Messages), zap.Int("asked", e.Asked), zap.Duration("took", e.Took))
	case consumer.Redelivered:
		l.keyed(e.Record, "", 0)
	case consumer.Returned:
		l.keyed(e.Record, "", 0)
		l.add(zap.Duration("after", e.After))
		l.err(e.Err)
	case consumer.VisibilityLost:
		l.keyed(e.Record, "", 0)
		l.err(e.Err)
	case consumer.DeleteFailed:
		l.keyed(e.Record, "", 0)
		l.err(e.Err)
	case consumer.DeadLettered:
		l.keyed(e.Record, "", 0)
		l.add(zap.String("queue", e.Queue), zap.NamedError("reason", e.Reason))
		l.err(e.Err)
	case consumer.QueueFailed:
		l.add(zap.String("queue", e.Queue), zap.String("op", e.Op), zap.Duration("wait", e.Wait))
		l.err(e.Err)
	case consumer.QueueUnfit:
		l.add(zap.String("queue", e.Queue), zap.String("why", e.Why))
	case consumer.Paused:
		l.add(zap.String("queue", e.Queue), zap.Duration("wait", e.Wait))
		l.err(e.Err)
	}
}
