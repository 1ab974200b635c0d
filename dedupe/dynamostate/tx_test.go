package dynamostate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamostate"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// deliver brings the record of that id to a worker whose handler is h.
func (b *bed) deliver(store *dynamodedupe.Store, id string, h func(context.Context) error) error {
	guard := dedupe.New(store, dedupe.Options{Consumer: "orders"})
	return guard.Middleware()(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		return h(ctx)
	})).HandleRecord(b.Context(), &consumer.Record{ID: id})
}

// anyTransaction: the last transition and the record's completion hold
// together; a second message about the same order finds the transition made,
// and its record is done all the same.
func anyTransaction(b *bed) {
	b.Helper()
	table := b.orders + "-dedupe"
	if err := dynamodedupe.CreateTable(b.Context(), b.client, table); err != nil {
		b.Fatal(err)
	}
	store := dynamodedupe.New(b.client, table)
	ran := 0
	order := func(ctx context.Context) error {
		ran++
		begin := counted(start)
		begin.Past = []string{"COMPLETED"}
		if _, err := dynamostate.Transition(ctx, b.client, b.item("1"), begin); err != nil {
			return err
		}
		end := counted(finish)
		return end.Made(store.CompleteTx(ctx, end.Write(b.item("1"))), 0)
	}
	if err := b.deliver(store, "early", order); !errors.Is(err, dynamostate.ErrState) {
		b.Errorf("before there is an order: got %v, want ErrState", err)
	}
	b.put("1", state("PENDING"))
	want := map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"}
	for _, id := range []string{"message-1", "message-1", "message-2", "message-2"} {
		if err := b.deliver(store, id, order); err != nil {
			b.Errorf("%s: %v", id, err)
		}
		b.wantItem("1", want)
	}
	if ran != 3 {
		b.Errorf("the handler ran %d times, want once too early and once for each message", ran)
	}

	b.put("2", state("CANCELLED"))
	err := b.deliver(store, "message-3", func(ctx context.Context) error {
		paid := b.item("paid")
		return finish.Made(store.CompleteTx(ctx,
			dynamostate.Change{From: []string{dynamostate.Absent}, To: "PAID"}.Write(paid), finish.Write(b.item("2"))), 1)
	})
	if e, ok := errors.AsType[*dynamostate.StateError](err); !ok || e.State != "CANCELLED" {
		b.Errorf("the order is cancelled: got %v, want a StateError that says so", err)
	}
	b.wantItem("2", map[string]string{"state": "CANCELLED"})
	b.wantItem("paid", map[string]string{})
}

// A transition can be part of the transaction that completes a record.
func TestCompleteTx(t *testing.T) {
	inBed(t, func(b *bed, _ *ddbtest.Server) { anyTransaction(b) })
}

// The answer to a transaction was lost: the transition was made once and the
// record is done.
func TestCompleteTxLostResponse(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		n := 0
		server.Fault(func(r ddbtest.Request) ddbtest.Action {
			if r.Op == "TransactWriteItems" {
				n++
			}
			return ddbtest.Action{DropResponse: r.Op == "TransactWriteItems" && n == 1}
		})
		anyTransaction(b)
	})
}

// What is not about the transition comes back as it is: other reasons, other
// errors and none.
func TestMade(t *testing.T) {
	cancelled := func(reasons ...types.CancellationReason) error {
		return &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	none, conflict := types.CancellationReason{Code: aws.String("None")}, types.CancellationReason{Code: aws.String("TransactionConflict")}
	failed := types.CancellationReason{Code: aws.String("ConditionalCheckFailed"), Item: state("COMPLETED")}
	for name, c := range map[string]struct {
		err  error
		n    int
		same bool
		is   error
	}{
		"committed":            {nil, 0, true, nil},
		"another error":        {io.EOF, 0, true, nil},
		"another write failed": {cancelled(none, failed), 0, true, nil},
		"a conflict":           {cancelled(conflict, none), 0, true, nil},
		"no such write":        {cancelled(failed), 1, true, nil},
		"made before":          {cancelled(failed, none), 0, false, nil},
		"both failed":          {cancelled(none, failed, failed), 1, false, nil},
		"no item":              {cancelled(types.CancellationReason{Code: failed.Code}), 0, false, dynamostate.ErrState},
	} {
		got := finish.Made(c.err, c.n)
		want := c.is
		if c.same {
			want = c.err
		}
		if c.same && got != want || !c.same && !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// DynamoDB over TCP, where there is one, answers as the played one does.
func TestEndpointTransition(t *testing.T) {
	url := os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("ONLYONCE_DYNAMODB_ENDPOINT is not set: scripts/ministack.sh go test ./dedupe/dynamostate sets it")
	}
	b := newBed(t, dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(url),
		HTTPClient:   dynamodedupe.HTTPClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "test"}, nil
		}),
	}), "orders-"+rand.Text())
	anyTransition(b)
	b.refused("none", start, "", "there is no item")
	other := newBed(t, b.client, "orders-"+rand.Text())
	anyTransaction(other)
}
