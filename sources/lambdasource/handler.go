package lambdasource

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
)

var _ lambda.Handler = (*BatchHandler)(nil)

// BatchHandler is a function behind a queue or a stream whose answer says
// which records failed. Make one with [SQS], [Pipes], [Kinesis] or
// [DynamoDBStream]. It is safe for concurrent use, and its invocations share
// one limit of concurrency.
type BatchHandler struct {
	source    source
	batch     *batch.Processor
	reportAll bool
}

// SQS returns a handler for [lambda.Start] that runs h for each message that
// guard admits; a nil guard admits all. It panics when h is nil, an option is
// negative or more than one Options is given.
//
// A record has the messageId as its ID and MessageID, the queue's ARN as its
// Source, and the message as its Raw, an [events.SQSMessage]. It is Ordered
// when the queue's name ends in ".fifo". The ID of a dead letter that a poller
// (package sqssource) sent is the messageId of the message that it was.
//
// [events.SQSMessage]: https://pkg.go.dev/github.com/aws/aws-lambda-go/events#SQSMessage
func SQS(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *BatchHandler {
	return newBatchHandler(sqsSource(), guard, h, opts)
}

// Pipes returns a handler for the target of an EventBridge pipe that reads a
// queue and invokes its target with REQUEST_RESPONSE. It does what [SQS] does.
//
// With an Options.Decode the elements may also be what a transformer or an
// enrichment of the pipe made of the messages, all of them the same: Decode
// then reads each element as it is. Such a record has no messageId, so the
// invocation fails when one of them did, and nothing is known of its order.
func Pipes(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *BatchHandler {
	return newBatchHandler(pipesSource(), guard, h, opts)
}

// Kinesis returns a handler for [lambda.Start] behind an event source mapping
// of a Kinesis stream. A record is what [sources.Kinesis] makes of it, with
// the whole as its Raw, a [json.RawMessage].
//
// Records of one partition key run one after another, and none after one that
// failed. The answer is the lowest sequence number that failed: Lambda comes
// back with all from there on, of which the guard skips what is done.
//
// [json.RawMessage]: https://pkg.go.dev/encoding/json#RawMessage
func Kinesis(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *BatchHandler {
	return newBatchHandler(kinesisSource(), guard, h, opts)
}

// DynamoDBStream is [Kinesis] for the stream of a DynamoDB table: a record is
// what [sources.DynamoDBStream] makes of it, and the item's key is what order
// is kept by.
func DynamoDBStream(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *BatchHandler {
	return newBatchHandler(dynamoDBSource(), guard, h, opts)
}

func newBatchHandler(s source, guard *dedupe.Guard, h consumer.Handler, opts []Options) *BatchHandler {
	o := s.only(guard, h, opts)
	s.bare = s.bare && o.Decode != nil
	return &BatchHandler{source: s, batch: o.processor(guard, h, refusing(o.Decode)), reportAll: o.ReportAllFailed}
}

// Invoke handles the records of one payload and returns Lambda's partial
// batch response: of a queue the ids of the messages that failed, each once,
// of a stream the lowest sequence number that failed. A message that came in
// several copies failed when one of them did.
//
// The error is a [PayloadError] when the payload is not what the source
// sends; nothing was handled then. It is a [FailedError] when every record
// failed, unless Options.ReportAllFailed is set. A payload without records is
// a success: there is nothing in it to lose.
func (h *BatchHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ms, err := h.source.read(payload)
	if err != nil {
		return nil, err
	}
	recs := make([]*consumer.Record, len(ms))
	for i := range ms {
		recs[i] = &ms[i].rec
	}
	failures := failuresOf(ms, h.batch.Process(ctx, recs))
	switch {
	case len(failures) == 0:
	case len(failures) == len(ms) && !h.reportAll, failures[0].ID == "": // all have an id or none has
		return nil, newFailedError(len(ms), failures)
	case h.source.stream:
		failures = failures[lowest(failures):][:1]
	}
	return response(failures), nil
}

// lowest returns which failure has the lowest sequence number.
func lowest(failures []RecordError) int {
	low := 0
	for i := range failures {
		if lessNumber(failures[i].ID, failures[low].ID) {
			low = i
		}
	}
	return low
}

// lessNumber compares numbers of any length, given as digits.
func lessNumber(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// errNoOutcome is the failure of a record that its batch did not report.
var errNoOutcome = errors.New("lambdasource: the batch ended without an outcome")

// failuresOf returns the records that failed, in the order of the payload.
// Each one has failed until its outcome says that it is done.
func failuresOf(ms []message, outcomes iter.Seq2[*consumer.Record, error]) []RecordError {
	errs := make([]error, len(ms))
	place := make(map[*consumer.Record]int, len(ms)) // handlers may change what a record says of itself
	for i := range ms {
		errs[i] = errNoOutcome
		place[&ms[i].rec] = i
	}
	for rec, err := range outcomes {
		errs[place[rec]] = err
	}
	var failures []RecordError
	for i, err := range errs {
		if err != nil {
			failures = append(failures, RecordError{ID: ms[i].id, Err: err})
		}
	}
	return failures
}

// response returns the partial batch response. Lambda fails the whole batch
// over an empty or foreign id, and takes a missing list for success.
func response(failures []RecordError) []byte {
	out := []byte(`{"batchItemFailures":[`)
	told := make(map[string]struct{}, len(failures))
	for _, f := range failures {
		if _, twice := told[f.ID]; twice {
			continue
		}
		if len(told) > 0 {
			out = append(out, ',')
		}
		told[f.ID] = struct{}{}
		out = append(out, `{"itemIdentifier":`...)
		out, _ = jsontext.AppendQuote(out, f.ID) // an id is valid UTF-8
		out = append(out, '}')
	}
	return append(out, `]}`...)
}

// refused stands in the Raw of a record that could not be read. It fails with
// the batch's decoder, so that a message group stops at it.
type refused struct{ err error }

// refusing returns a decoder that refuses what could not be read and passes
// the rest to next.
func refusing(next sources.Decoder) sources.Decoder {
	return func(rec *consumer.Record) error {
		if r, ok := rec.Raw.(refused); ok {
			return r.err
		}
		if next == nil {
			return nil
		}
		return next(rec)
	}
}
