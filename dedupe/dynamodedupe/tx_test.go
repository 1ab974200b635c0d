package dynamodedupe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// shop is a worker whose handlers write to a table of their own.
type shop struct {
	*testing.T
	client *dynamodb.Client
	table  string // of the guard
	orders string // of the handlers
	store  *dynamodedupe.Store
	guard  *dedupe.Guard
	ran    atomic.Int32
}

func newShop(t *testing.T, client *dynamodb.Client, through dynamodedupe.Client, table string) *shop {
	s := &shop{T: t, client: client, table: table, orders: table + "-orders"}
	if err := dynamodedupe.CreateTable(t.Context(), client, s.orders); err != nil {
		t.Fatal(err)
	}
	s.open(through)
	return s
}

// open starts the worker, or another one on the same tables.
func (s *shop) open(through dynamodedupe.Client) {
	s.store = dynamodedupe.New(through, s.table, dynamodedupe.Options{Timeout: 20 * time.Second})
	s.guard = dedupe.New(s.store, dedupe.Options{Consumer: "shop"})
}

// other is another worker on the same tables.
func (s *shop) other() *shop {
	o := &shop{T: s.T, client: s.client, table: s.table, orders: s.orders}
	o.open(s.client)
	return o
}

// inShop runs f in a bubble with a server of its own.
func inShop(t *testing.T, f func(s *shop, server *ddbtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, ddbtest.Options{})
		s := newShop(t, server.Client(), server.Client(), table)
		server.Reset()
		f(s, server)
	})
}

// deliver brings the record to the worker, whose handler is h.
func (s *shop) deliver(id string, h func(ctx context.Context) error) error {
	return s.guard.Middleware()(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		s.ran.Add(1)
		return h(ctx)
	})).HandleRecord(s.Context(), &consumer.Record{ID: id})
}

// order counts up the order of that id.
func (s *shop) order(id string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.orders, Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: id}},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

// fresh is an order that must not exist yet.
func (s *shop) fresh(id string) types.TransactWriteItem {
	w := s.order(id)
	w.Update.ConditionExpression = aws.String("attribute_not_exists(pk)")
	return w
}

// place is the handler that counts up the order of that id.
func (s *shop) place(id string) func(ctx context.Context) error {
	return func(ctx context.Context) error { return s.store.CompleteTx(ctx, s.order(id)) }
}

func (s *shop) wantOrders(id string, want int) {
	s.Helper()
	out, err := s.client.GetItem(s.Context(), &dynamodb.GetItemInput{
		TableName: &s.orders, Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: id}},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		s.Fatal(err)
	}
	got := "0"
	if n, ok := out.Item["n"].(*types.AttributeValueMemberN); ok {
		got = n.Value
	}
	if got != fmt.Sprint(want) {
		s.Errorf("order %s was made %s times, want %d", id, got, want)
	}
}

func (s *shop) wantRan(want int32) {
	s.Helper()
	if got := s.ran.Load(); got != want {
		s.Errorf("the handler ran %d times, want %d", got, want)
	}
}

func (s *shop) wantIs(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got error %v, want %v", err, want)
	}
}

// wantReasons fails the test unless err is a cancellation with these reasons.
func (s *shop) wantReasons(err error, want ...string) {
	s.Helper()
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		s.Errorf("got error %v, want a cancellation", err)
		return
	}
	got := make([]string, len(e.CancellationReasons))
	for i, r := range e.CancellationReasons {
		got[i] = aws.ToString(r.Code)
	}
	if !slices.Equal(got, want) {
		s.Errorf("got reasons %v, want %v", got, want)
	}
}

// sent returns the operations since the last Reset.
func sent(server *ddbtest.Server) (ops []string) {
	for _, req := range server.Requests() {
		ops = append(ops, req.Op)
	}
	return ops
}

// bothOrNeither: a handler's writes and its record hold together, a failed
// condition undoes both and leaves the claim, and a record that is done is
// done for all workers.
func bothOrNeither(s *shop) {
	s.Helper()
	s.wantIs(s.deliver("1", s.place("1")), nil)
	s.wantOrders("1", 1)
	s.wantIs(s.deliver("1", s.place("1")), nil)
	o := s.other()
	s.wantIs(o.deliver("1", o.place("1")), nil)
	s.wantRan(1)
	o.wantRan(0)

	err := s.deliver("2", func(ctx context.Context) error {
		return s.store.CompleteTx(ctx, s.order("2"), s.fresh("1"), s.order("3"))
	})
	s.wantReasons(err, "None", "ConditionalCheckFailed", "None", "None")
	s.wantOrders("2", 0)
	s.wantIs(s.deliver("2", func(ctx context.Context) error {
		s.wantReasons(s.store.CompleteTx(ctx, s.order("2"), s.fresh("1")), "None", "ConditionalCheckFailed", "None")
		return s.store.CompleteTx(ctx, s.fresh("2"))
	}), nil)
	s.wantIs(s.deliver("2", s.place("2")), nil)
	s.wantRan(3)
	s.wantOrders("2", 1)
	s.wantOrders("1", 1)
	s.wantIs(s.deliver("3", func(ctx context.Context) error { return s.store.CompleteTx(ctx) }), nil) // nothing to write
	s.wantIs(s.deliver("3", s.place("3")), nil)
	s.wantOrders("3", 0)
}

// A handler's writes and the completion of its record are made together or
// not at all.
func TestCompleteTx(t *testing.T) {
	inShop(t, func(s *shop, _ *ddbtest.Server) { bothOrNeither(s) })
}

// A transaction takes one request and two units for each item, and nothing is
// sent after it, whatever the handler returns.
func TestCompleteTxCost(t *testing.T) {
	for _, end := range []error{nil, errors.New("after the commit")} {
		inShop(t, func(s *shop, server *ddbtest.Server) {
			s.wantIs(s.deliver("1", func(ctx context.Context) error {
				s.wantIs(s.store.CompleteTx(ctx, s.order("1"), s.order("2")), nil)
				return end
			}), nil)
			if got := sent(server); !slices.Equal(got, []string{"PutItem", "TransactWriteItems"}) {
				s.Errorf("requests %v, want a claim and a transaction", got)
			}
			if got, want := server.Used(), (ddbtest.Units{Write: 1 + 2 + 4}); got != want {
				s.Errorf("used %+v, want %+v", got, want)
			}
			s.wantIs(s.deliver("1", s.place("1")), nil)
			s.wantRan(1)
			server.Reset()
			err := s.deliver("2", func(ctx context.Context) error { return s.store.CompleteTx(ctx, s.fresh("1")) })
			s.wantReasons(err, "ConditionalCheckFailed", "None")
			if got := sent(server); !slices.Equal(got, []string{"PutItem", "TransactWriteItems", "PutItem"}) {
				s.Errorf("requests %v, want a claim, a transaction that is refused once and a release", got)
			}
		})
	}
}

// While a transaction is under way nothing extends its row, which would end
// in a conflict, and the leases of others are kept.
func TestCompleteTxHeartbeat(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		server.Fault(nth(func(int) ddbtest.Action { return ddbtest.Action{Hold: 18 * time.Second} }))
		var extended []string
		sess := s.guard.Session(s.Context(), dedupe.SessionOptions{
			Settled: func(tk *dedupe.Ticket, err error) { s.wantIs(err, nil) },
			Again:   func(*dedupe.Ticket) {},
		})
		ts := sess.Admit([]*consumer.Record{{ID: "1"}, {ID: "2"}}, 0)
		server.Reset()
		go func() {
			ts[1].Settle(ts[1].Handle(consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
				time.Sleep(time.Minute)
				return nil
			})))
		}()
		ts[0].Settle(ts[0].Handle(consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			time.Sleep(5 * time.Second)
			err := s.place("1")(ctx)
			for _, req := range server.Requests() {
				if req.Op == "PutItem" || req.Op == "BatchExecuteStatement" {
					extended = append(extended, req.Keys...)
				}
			}
			return err
		})))
		if len(extended) != 2 || !strings.HasSuffix(extended[0], "2") || extended[0] != extended[1] {
			s.Errorf("extended during the transaction: %q, want the other record, twice", extended)
		}
		if n := slices.Index(sent(server), "TransactWriteItems"); n != 0 || len(sent(server)) != 3 {
			s.Errorf("requests %v, want one transaction and two extends", sent(server))
		}
		time.Sleep(2 * time.Minute)
		sess.Close()
		s.wantOrders("1", 1)
	})
}

// A second transaction for a record that is done is refused, and its writes
// are not made.
func TestCompleteTxTwice(t *testing.T) {
	inShop(t, func(s *shop, _ *ddbtest.Server) {
		s.wantIs(s.deliver("1", func(ctx context.Context) error {
			s.wantIs(s.store.CompleteTx(ctx, s.order("1")), nil)
			return s.store.CompleteTx(ctx, s.order("2"))
		}), nil)
		s.wantOrders("1", 1)
		s.wantOrders("2", 0)
	})
}

// Without a claim of this store nothing is written.
func TestCompleteTxNoClaim(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		s.wantIs(s.store.CompleteTx(s.Context(), s.order("1")), dedupe.ErrNoClaim)
		s.wantIs(s.deliver("1", func(ctx context.Context) error { return s.other().store.CompleteTx(ctx, s.order("1")) }), dedupe.ErrNoClaim)
		if slices.Contains(sent(server), "TransactWriteItems") {
			s.Error("a transaction was sent")
		}
	})
}

// Writes that cannot be in the transaction are told before it is sent, what
// DynamoDB refuses afterwards; the claim stands.
func TestCompleteTxWrites(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		many := make([]types.TransactWriteItem, 100)
		for i := range many {
			many[i] = s.order(fmt.Sprint(i))
		}
		s.wantIs(s.deliver("1", func(ctx context.Context) error {
			claim, _ := dedupe.FromContext(ctx)
			key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: claim.Key}}
			for _, own := range []types.TransactWriteItem{
				{Put: &types.Put{TableName: aws.String(table), Item: key}},
				{Update: &types.Update{TableName: aws.String(table), Key: key, UpdateExpression: aws.String("REMOVE a")}},
				{Delete: &types.Delete{TableName: aws.String(table), Key: key}},
				{ConditionCheck: &types.ConditionCheck{TableName: aws.String(table), Key: key, ConditionExpression: aws.String("attribute_exists(pk)")}},
			} {
				s.wantIs(s.store.CompleteTx(ctx, s.order("1"), own), dynamodedupe.ErrWrites)
			}
			s.wantIs(s.store.CompleteTx(ctx, many...), dynamodedupe.ErrWrites)
			for _, unfit := range [][]types.TransactWriteItem{
				{s.order("1"), s.order("1")}, {{}}, {{Delete: &types.Delete{}}},
				{{Delete: &types.Delete{TableName: aws.String("nowhere"), Key: key}}},
			} {
				err := s.store.CompleteTx(ctx, unfit...)
				if _, undecided := errors.AsType[*dedupe.StoreError](err); undecided || err == nil {
					s.Errorf("got error %v, want one that says that nothing was written", err)
				}
			}
			server.Fault(nth(func(int) ddbtest.Action { return ddbtest.Action{Err: &ddbtest.Error{Code: "AccessDeniedException"}} }))
			s.wantIs(s.store.CompleteTx(ctx, s.order("1")), dynamodedupe.ErrDenied)
			server.Fault(nil)
			return s.store.CompleteTx(ctx, many[:99]...)
		}), nil)
		s.wantOrders("98", 1)
		s.wantOrders("99", 0)
	})
}

// A transaction ends with its context, and with what is left of the lease.
func TestCompleteTxEnds(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		server.Fault(nth(func(int) ddbtest.Action { return ddbtest.Action{Delay: time.Hour} }))
		for _, most := range []time.Duration{time.Second, time.Hour} {
			began := time.Now()
			err := s.deliver("1", func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, most)
				defer cancel()
				return s.place("1")(ctx)
			})
			s.wantIs(err, context.DeadlineExceeded)
			if took := time.Since(began); took != min(most, 30*time.Second) {
				s.Errorf("took %v, want at most %v and the lease", took, most)
			}
		}
	})
}

// A result goes along in the transaction; one that is too large for an item
// does not keep the transaction from being made.
func TestCompleteTxResult(t *testing.T) {
	inShop(t, func(s *shop, _ *ddbtest.Server) {
		for id, size := range map[string]int{"small": 100, "large": 500 << 10} {
			for again := range 2 {
				r, err := s.guard.Handle(s.Context(), &consumer.Record{ID: id}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
					dedupe.SetResult(ctx, make([]byte, size))
					return s.place(id)(ctx)
				}))
				lost := again > 0 && id == "large"
				if err != nil || r.Lost != lost || r.Replayed != (again > 0) || !lost && len(r.Data) != size {
					s.Errorf("%s, delivery %d: got %d bytes, replayed %v, lost %v, %v, want %d, lost %v", id, again, len(r.Data), r.Replayed, r.Lost, err, size, lost)
				}
			}
			s.wantOrders(id, 1)
		}
	})
}
