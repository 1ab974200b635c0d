package dynamodedupe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	// maxWrites is what a transaction of 100 has for the caller.
	maxWrites = 99

	// maxSends bounds the requests of one CompleteTx: seconds of conflicts.
	maxSends = 12
)

// CompleteTx makes the writes of a handler and completes its record in one
// TransactWriteItems: both hold or neither does, so that a worker that dies at
// any instruction leaves no write that a redelivery would make again. Call it
// as the last thing a handler does, with the handler's context, and return
// its error. There can be 99 writes at most, to any tables of the account and
// region; none may be of the record's own item.
//
// After nil the record is done, whatever the handler returns. A condition of
// the writes that fails comes back as a [*types.TransactionCanceledException]
// with a reason for each write, in order, and one more for the record: nothing
// was written, the claim stands, and CompleteTx may be called again. Conflicts
// with other transactions and throttled requests are tried again for seconds.
// Its other errors are those of [dedupe.CompleteWith], [ErrWrites], [ErrDenied]
// and [ErrContended].
func (s *Store) CompleteTx(ctx context.Context, writes ...types.TransactWriteItem) error {
	return dedupe.CompleteWith(ctx, s, func(ctx context.Context, op dedupe.Op) (dedupe.Verdict, error) {
		if err := s.checkWrites(op.Key, writes); err != nil {
			return dedupe.Verdict{}, err
		}
		x := transaction{s: s, op: s.fit(op), writes: writes}
		return x.run(ctx)
	})
}

// checkWrites says what DynamoDB would refuse less clearly.
func (s *Store) checkWrites(key dedupe.Key, writes []types.TransactWriteItem) error {
	if len(writes) > maxWrites {
		return fmt.Errorf("%w: there are %d, at most %d are possible beside the record's own", ErrWrites, len(writes), maxWrites)
	}
	for i, w := range writes {
		var table *string
		var item map[string]types.AttributeValue
		switch {
		case w.Put != nil:
			table, item = w.Put.TableName, w.Put.Item
		case w.Update != nil:
			table, item = w.Update.TableName, w.Update.Key
		case w.Delete != nil:
			table, item = w.Delete.TableName, w.Delete.Key
		case w.ConditionCheck != nil:
			table, item = w.ConditionCheck.TableName, w.ConditionCheck.Key
		}
		if aws.ToString(table) == s.table && keyOf(item) == key {
			return fmt.Errorf("%w: number %d is of the record's own item", ErrWrites, i)
		}
	}
	return nil
}

// transaction is one call of CompleteTx. As in [call], what is written to the
// row follows from [dedupe.Step] on the row as it is known, and only that
// version is replaced: of all requests that are sent, late copies too, one is
// applied at most.
type transaction struct {
	s      *Store
	op     dedupe.Op
	writes []types.TransactWriteItem

	row    dedupe.Row
	known  knowledge
	unsure bool // a request may have been applied, or may still be
	sends  int
}

// run sends requests until the transaction is decided.
func (x *transaction) run(ctx context.Context) (dedupe.Verdict, error) {
	if row, ok := x.s.held.row(x.op.Key); ok {
		x.row, x.known = row, guessed
	}
	for {
		if err := x.look(ctx); err != nil {
			return x.open(err)
		}
		next, v := dedupe.Step(x.row, dedupe.MillisOf(time.Now()), x.op)
		w, changed := newWrite(x.op.Key, &x.row, &next)
		switch {
		case changed:
			err := x.send(ctx, x.request(&w))
			if errors.Is(err, errStale) {
				continue
			}
			if err != nil {
				return x.failed(ctx, err)
			}
		case x.known != seen: // a guess is no answer
			x.known = unknown
			continue
		case v.Outcome == dedupe.Applied && !x.unsure: // by somebody else's call
			return dedupe.Verdict{}, dedupe.ErrSecondCommit
		}
		x.s.held.note(x.op.Key, &v)
		return v, nil
	}
}

// request is the caller's writes and ours, last, so that the reasons of a
// cancellation have the caller's indexes. Its token stays the same for all
// tries: a copy of what was committed succeeds and changes nothing.
func (x *transaction) request(w *write) *dynamodb.TransactWriteItemsInput {
	put := w.put(x.s.table)
	items := append(slices.Clone(x.writes), types.TransactWriteItem{Put: &types.Put{
		TableName:                           put.TableName,
		Item:                                put.Item,
		ConditionExpression:                 put.ConditionExpression,
		ExpressionAttributeNames:            put.ExpressionAttributeNames,
		ExpressionAttributeValues:           put.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: put.ReturnValuesOnConditionCheckFailure,
	}})
	return &dynamodb.TransactWriteItemsInput{TransactItems: items, ClientRequestToken: aws.String(rand.Text())}
}

// errStale says that the row is of another version than the request was made
// for.
var errStale = errors.New("dynamodedupe: the row has changed")

// send sends a request until it is applied or refused.
func (x *transaction) send(ctx context.Context, in *dynamodb.TransactWriteItemsInput) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		x.sends++
		bounded, cancel := context.WithTimeout(ctx, x.s.o.Timeout)
		_, err := x.s.client.TransactWriteItems(bounded, in, once)
		cancel()
		if err == nil {
			return nil
		}
		switch x.sort(err) {
		case moved:
			if x.sends >= maxSends {
				return fmt.Errorf("%w: %w", ErrContended, err)
			}
			return errStale
		case refused:
			return err
		case unheard:
			x.unsure = true
		case passing:
		}
		if x.sends >= maxSends {
			return err
		}
		pause.For(ctx, backoff(x.sends))
	}
}

// once leaves retries to send: the error of the last of several tries does
// not tell what became of those before.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

// answer is what an error says about the request.
type answer uint8

const (
	unheard answer = iota // it may have been applied
	passing               // it was not, for a reason that passes
	refused               // it was not, and will not be
	moved                 // it was not: the row has changed
)

// sort says what an error means. It takes the row that comes with one.
func (x *transaction) sort(err error) answer {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return x.cancelled(cancelled.CancellationReasons)
	}
	if _, invalid := errors.AsType[smithy.InvalidParamsError](err); invalid { // was not sent
		return refused
	}
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch code {
	case "TransactionInProgressException", "RequestTimeout", "RequestTimeoutException":
		return unheard
	case "IdempotentParameterMismatchException": // the server does not know our request again: a new token
		return moved
	case "TransactionConflictException", "ReplicatedWriteConflictException":
		return passing
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		return passing
	}
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.HTTPStatusCode()/100 == http.StatusBadRequest/100 {
		return refused
	}
	return unheard
}

// cancelled says what the reasons of a cancellation mean. That of our row
// comes first: a caller's condition may have failed because an earlier copy
// was applied.
func (x *transaction) cancelled(reasons []types.CancellationReason) answer {
	if own := len(x.writes); own < len(reasons) && aws.ToString(reasons[own].Code) == "ConditionalCheckFailed" {
		x.known = unknown
		if row, err := parseRow(x.op.Key, reasons[own].Item); err == nil && row.Exists() {
			x.row, x.known = row, seen
		}
		return moved
	}
	a := refused
	for _, r := range reasons {
		switch aws.ToString(r.Code) {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded":
			a = passing
		default:
			return refused
		}
	}
	return a
}

// failed ends a transaction whose last request failed with err. When an
// earlier one may have been applied, the row tells.
func (x *transaction) failed(ctx context.Context, err error) (dedupe.Verdict, error) {
	err = x.explain(err)
	if !x.unsure || ctx.Err() != nil {
		return x.open(err)
	}
	x.known = unknown
	if again := x.look(ctx); again != nil {
		return x.open(fmt.Errorf("%w (%w)", err, again))
	}
	next, v := dedupe.Step(x.row, dedupe.MillisOf(time.Now()), x.op)
	if _, open := newWrite(x.op.Key, &x.row, &next); open {
		return x.open(err) // a copy may come late
	}
	x.s.held.note(x.op.Key, &v)
	return v, nil
}

// open ends a transaction without a decision: nothing was written, or that is
// not known.
func (x *transaction) open(err error) (dedupe.Verdict, error) {
	if x.unsure {
		return dedupe.Verdict{Err: err}, nil
	}
	return dedupe.Verdict{}, err
}

func (x *transaction) explain(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && (api.ErrorCode() == "AccessDeniedException" || api.ErrorCode() == "AccessDenied") {
		return fmt.Errorf("%w: a transaction needs the permissions of all its writes, dynamodb:PutItem on table %q among them: %w", ErrDenied, x.s.table, err)
	}
	return fmt.Errorf("dynamodedupe: transaction of key %q: %w", x.op.Key, err)
}

// look reads the row when it is not known.
func (x *transaction) look(ctx context.Context) error {
	if x.known != unknown {
		return nil
	}
	c := call{s: x.s, ops: []dedupe.Op{x.op}, verdicts: make([]dedupe.Verdict, 1)}
	l := &lane{key: x.op.Key, todo: []int{0}}
	for l.known == unknown {
		pause.For(ctx, time.Until(l.due))
		c.read(ctx, []*lane{l})
		if len(l.todo) == 0 {
			return c.verdicts[0].Err
		}
	}
	x.row, x.known = l.row, seen
	return nil
}
