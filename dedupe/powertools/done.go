package powertools

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Client is what Done uses of a [dynamodb.Client].
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
}

// Done returns a middleware for a handler behind a [dedupe.Guard]. It looks
// the record up in the Powertools table before the handler runs:
//
//   - finished there: the handler does not run, and the guard records that the
//     record is done, so that its next duplicates are not looked up any more;
//   - a worker there may be at it: [dedupe.ErrInProgress] in a
//     [consumer.RetryError] with the time until that worker has lost it;
//   - not there, expired there, or left behind by a worker that died: the
//     handler runs;
//   - no id, an item that cannot be read, another payload, no answer: the
//     record fails with an error, and does not run.
//
// Done panics when client, table or a required option is missing.
func Done(client Client, table string, o Options) consumer.Middleware {
	switch {
	case client == nil:
		panic("powertools: Done needs a client")
	case table == "":
		panic("powertools: Done needs the name of a table")
	}
	o.check("Done")
	l := &lookup{client: client, table: table, o: o.withDefaults()}
	return func(next consumer.Handler) consumer.Handler {
		return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			if finished, err := l.finished(ctx, rec); finished || err != nil {
				return err
			}
			return next.HandleRecord(ctx, rec)
		})
	}
}

// lookup reads one table.
type lookup struct {
	client Client
	table  string
	o      Options
}

// finished tells whether the record was finished there. An error says that it
// may have been.
func (l *lookup) finished(ctx context.Context, rec *consumer.Record) (bool, error) {
	id, err := l.o.id(rec)
	if err != nil {
		if l.o.Optional && errors.Is(err, dedupe.ErrNoKey) {
			return false, nil
		}
		return false, err
	}
	item, err := l.get(ctx, id)
	if err != nil {
		return false, err
	}
	e, err := l.o.read(item, time.Now())
	if err != nil {
		return false, &ItemError{ID: id, Err: err}
	}
	switch e.state {
	case held:
		l.observe(ctx, consumer.InProgress{Record: rec, Key: id, Until: e.until})
		return false, consumer.RetryAfter(time.Until(e.until), dedupe.ErrInProgress)
	case done:
		if err := l.samePayload(rec, id, e.payload); err != nil {
			return false, err
		}
		l.observe(ctx, consumer.Duplicate{Record: rec, Key: id})
		return true, nil
	default:
		return false, nil
	}
}

// get reads the item and not the response in it, which can be long.
func (l *lookup) get(ctx context.Context, id string) (map[string]types.AttributeValue, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	key := map[string]types.AttributeValue{l.o.KeyAttr: &types.AttributeValueMemberS{Value: id}}
	if l.o.SortKeyAttr != "" {
		key[l.o.KeyAttr] = &types.AttributeValueMemberS{Value: l.o.StaticKey}
		key[l.o.SortKeyAttr] = &types.AttributeValueMemberS{Value: id}
	}
	out, err := l.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:            &l.table,
		Key:                  key,
		ConsistentRead:       aws.Bool(true),
		ProjectionExpression: aws.String("#k, #s, #e, #p, #v"), // with the key, else an item without the others looks like none
		ExpressionAttributeNames: map[string]string{
			"#k": l.o.KeyAttr, "#s": l.o.StatusAttr, "#e": l.o.ExpiryAttr, "#p": l.o.InProgressExpiryAttr, "#v": l.o.ValidationAttr,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("powertools: look up %s: %w", id, err)
	}
	return out.Item, nil
}

// samePayload returns an error unless the record has the payload of the run
// that finished, as far as the item says.
func (l *lookup) samePayload(rec *consumer.Record, id, stored string) error {
	if stored == "" {
		return nil
	}
	if l.o.Validation == nil {
		return &ItemError{ID: id, Err: ErrValidation}
	}
	value, err := l.o.Validation(rec)
	if err != nil {
		return keyError("validation", err)
	}
	sum, err := l.o.digest(value)
	if err != nil {
		return keyError("validation", err)
	}
	if sum != stored {
		return &dedupe.MismatchError{Key: dedupe.Key(id)}
	}
	return nil
}

func (l *lookup) observe(ctx context.Context, e consumer.Event) {
	if l.o.Observer != nil {
		l.o.Observer.Observe(ctx, e)
	}
}
