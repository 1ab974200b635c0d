package dynamodedupe

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Client is what a Store uses of a [dynamodb.Client]: two writes, the read
// that follows a refused one, the transaction of [Store.CompleteTx] and what
// [Store.Check] looks at.
type Client interface {
	BatchExecuteStatement(context.Context, *dynamodb.BatchExecuteStatementInput, ...func(*dynamodb.Options)) (*dynamodb.BatchExecuteStatementOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
}

// Options configures a [Store].
type Options struct {
	// SingleItem writes each item with a PutItem of its own, for endpoints
	// without PartiQL. Defaults to false: the writes of a group share
	// requests.
	SingleItem bool

	// Concurrency is how many requests one call of Apply has in flight at
	// most. Defaults to 4.
	Concurrency int

	// InFlight is how many requests all calls of Apply together have in
	// flight at most; others wait. A quarter of them, rounded down, is kept
	// for requests that extend or end claims. Defaults to 8.
	InFlight int

	// Timeout bounds one request together with the SDK's retries of it, once
	// it is in flight, and each request of a transaction. When as many requests hang as there may be, the others
	// wait for this long: keep it well below the lease. Defaults to 3 seconds.
	Timeout time.Duration

	// MaxResult is the largest result in bytes that is kept; a completion
	// with a larger one stores that it was lost. An item has 400 KB at most.
	// Defaults to 350 KB, and is not above 390 KB.
	MaxResult int
}

const (
	defaultConcurrency = 4
	defaultInFlight    = 8
	defaultTimeout     = 3 * time.Second
	defaultMaxResult   = 350 << 10
	highestMaxResult   = 390 << 10
	maxKey             = 2048 // bytes of a partition key
)

// Store is a [dedupe.Store] in one DynamoDB table. It is safe for concurrent
// use and has nothing to close.
type Store struct {
	client Client
	table  string
	o      Options
	places places
	held   held
}

var _ dedupe.Store = (*Store)(nil)

// New returns a Store in the named table. It makes no request; see
// [Store.Check]. It panics when client or table is missing, when there is more
// than one Options or when one of them is out of range.
func New(client Client, table string, opts ...Options) *Store {
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	switch {
	case client == nil:
		panic("dynamodedupe: New needs a client")
	case table == "":
		panic("dynamodedupe: New needs the name of a table")
	case len(opts) > 1:
		panic("dynamodedupe: New takes one Options")
	case o.Concurrency < 0 || o.InFlight < 0 || o.Timeout < 0 || o.MaxResult < 0 || o.MaxResult > highestMaxResult:
		panic("dynamodedupe: New: an option is out of range")
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.InFlight == 0 {
		o.InFlight = defaultInFlight
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxResult == 0 {
		o.MaxResult = defaultMaxResult
	}
	return &Store{client: client, table: table, o: o, places: newPlaces(o.InFlight)}
}

// Apply applies ops as [dedupe.Store] says. Operations on different keys
// share requests; those on one key follow each other. It returns an error
// when no operation was decided because requests failed.
func (s *Store) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	for i := range ops {
		if k := ops[i].Kind; k < dedupe.OpClaim || k > dedupe.OpRelease {
			panic("dynamodedupe: Apply: unknown operation " + k.String())
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dynamodedupe: apply: %w", err)
	}
	c := call{s: s, ops: ops, verdicts: make([]dedupe.Verdict, len(ops))}
	lanes := c.lanes()
	c.run(ctx, lanes)
	if len(ops) > 0 && c.lost == len(ops) {
		return nil, c.err
	}
	return c.verdicts, nil
}

// fit returns op as it can be stored: without a result that is too large.
func (s *Store) fit(op dedupe.Op) dedupe.Op {
	if len(op.Result) > s.o.MaxResult {
		op.Result, op.ResultLost = nil, true
	}
	return op
}

// checkKey returns an ErrKey when DynamoDB cannot have key as it is.
func checkKey(key dedupe.Key) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrKey)
	case len(key) > maxKey:
		return fmt.Errorf("%w: it has %d bytes, at most %d are possible", ErrKey, len(key), maxKey)
	case !utf8.ValidString(string(key)):
		return fmt.Errorf("%w: it is not UTF-8", ErrKey)
	}
	return nil
}
