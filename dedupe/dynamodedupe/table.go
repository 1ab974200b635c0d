package dynamodedupe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

const (
	createTimeout = 2 * time.Minute
	createPoll    = time.Second
)

// TableClient is what [CreateTable] uses of a [dynamodb.Client].
type TableClient interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
}

// CreateTable makes the table for a Store, paid per request and with its time
// to live enabled, and waits until it is active, for two minutes at most. A
// table that is there already is left as it is, but for a time to live that
// it does not have yet. It is for tests and first steps; production tables
// belong into a template.
func CreateTable(ctx context.Context, client TableClient, table string) error {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            &table,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(attrKey), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String(attrKey), KeyType: types.KeyTypeHash}},
	})
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return requestError("dynamodb:CreateTable", table, err)
	}
	if err := waitActive(ctx, client, table); err != nil {
		return err
	}
	ttl, err := timeToLive(ctx, client, table)
	if err != nil || ttl {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(attrTTL), Enabled: aws.Bool(true)},
	})
	if err == nil {
		return nil
	}
	if ttl, again := timeToLive(ctx, client, table); again == nil && ttl {
		return nil // somebody else was faster
	}
	return requestError("dynamodb:UpdateTimeToLive", table, err)
}

func waitActive(ctx context.Context, client describer, table string) error {
	for {
		active, err := describe(ctx, client, table)
		switch {
		case err != nil && !errors.Is(err, ErrTable):
			return err
		case err != nil && !missing(err): // there, but not ours
			return err
		case active != nil && active.TableStatus == types.TableStatusActive:
			return nil
		}
		pause.For(ctx, createPoll)
		if ctx.Err() != nil {
			return fmt.Errorf("dynamodedupe: table %q is not active yet: %w", table, context.Cause(ctx))
		}
	}
}

func missing(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// Check looks at the table when a worker starts: whether it is there and
// active, its partition key and its time to live. Its errors match [ErrTable]
// or [ErrDenied] where that is what is wrong, and say what to do. A table with
// multi-region strong consistency need not have a time to live.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.o.Timeout)
	defer cancel()
	d, err := describe(ctx, s.client, s.table)
	if err != nil {
		return err
	}
	switch d.TableStatus {
	case types.TableStatusActive, types.TableStatusUpdating:
	default:
		return fmt.Errorf("%w: table %q is %s: wait until it is ACTIVE", ErrTable, s.table, d.TableStatus)
	}
	ttl, err := timeToLive(ctx, s.client, s.table)
	if err != nil {
		return err
	}
	if !ttl && d.MultiRegionConsistency != types.MultiRegionConsistencyStrong {
		return fmt.Errorf("%w: table %q has no time to live: enable it on the attribute %q, or rows are never collected",
			ErrTable, s.table, attrTTL)
	}
	return nil
}

type describer interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

// describe describes the table, whose key must be ours.
func describe(ctx context.Context, client describer, table string) (*types.TableDescription, error) {
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		return nil, requestError("dynamodb:DescribeTable", table, err)
	}
	d := out.Table
	if d == nil {
		return nil, requestError("dynamodb:DescribeTable", table, errors.New("the answer has no table"))
	}
	keys := d.KeySchema
	typed := false
	for _, a := range d.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == attrKey && a.AttributeType == types.ScalarAttributeTypeS {
			typed = true
		}
	}
	if len(keys) != 1 || aws.ToString(keys[0].AttributeName) != attrKey || keys[0].KeyType != types.KeyTypeHash || !typed {
		return nil, fmt.Errorf("%w: the key of table %q must be the string %q alone: use another table", ErrTable, table, attrKey)
	}
	return d, nil
}

type ttlDescriber interface {
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
}

// timeToLive reports whether the table's time to live is on, and an error
// when it is on another attribute.
func timeToLive(ctx context.Context, client ttlDescriber, table string) (bool, error) {
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return false, requestError("dynamodb:DescribeTimeToLive", table, err)
	}
	d := out.TimeToLiveDescription
	if d == nil {
		return false, nil
	}
	switch d.TimeToLiveStatus {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		if got := aws.ToString(d.AttributeName); got != attrTTL {
			return false, fmt.Errorf("%w: the time to live of table %q is on the attribute %q, not on %q: use another table, or change it",
				ErrTable, table, got, attrTTL)
		}
		return true, nil
	default:
		return false, nil
	}
}
