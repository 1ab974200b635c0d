package lambdasource

import (
	"context"
	"errors"
	"iter"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
)

var _ lambda.Handler = (*SQSHandler)(nil)

// SQSHandler is a function behind an SQS event source mapping. Make one with
// [SQS]. It is safe for concurrent use, and its invocations share one limit of
// concurrency.
type SQSHandler struct {
	batch     *batch.Processor
	reportAll bool
}

// SQS returns a handler for [lambda.Start] that runs h for each message that
// guard admits; a nil guard admits all. It panics when h is nil, an option is
// negative or more than one Options is given.
//
// A record has the messageId as its ID and MessageID, the queue's ARN as its
// Source, and the message as its Raw, an [events.SQSMessage]. It is Ordered
// when the queue's name ends in ".fifo".
//
// [events.SQSMessage]: https://pkg.go.dev/github.com/aws/aws-lambda-go/events#SQSMessage
func SQS(guard *dedupe.Guard, h consumer.Handler, opts ...Options) *SQSHandler {
	o := only("SQS", h, opts)
	return &SQSHandler{batch: o.processor(guard, h, refusing(o.Decode)), reportAll: o.ReportAllFailed}
}

// Invoke handles the messages of one payload and returns Lambda's partial
// batch response: the ids of the messages that failed, each once. A message
// that came in several copies failed when one of them did.
//
// The error is a [PayloadError] when the payload is not an SQS event; nothing
// was handled then. It is an [AllFailedError] when every record failed, unless
// Options.ReportAllFailed is set. An event without messages is a success:
// there is nothing in it to lose.
func (h *SQSHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ms, err := readEvent(payload)
	if err != nil {
		return nil, err
	}
	recs := make([]*consumer.Record, len(ms))
	for i := range ms {
		recs[i] = &ms[i].rec
	}
	failures := failuresOf(ms, h.batch.Process(ctx, recs))
	if len(ms) > 0 && len(failures) == len(ms) && !h.reportAll {
		return nil, allFailed(failures)
	}
	return response(failures), nil
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
