package dynamodedupe_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// overtaken: the transaction of a worker whose record went to another changes
// nothing, and it is told so.
func overtaken(s *shop, overtake func(o *shop)) {
	s.Helper()
	o := s.other()
	err := s.deliver("zombie", func(ctx context.Context) error {
		overtake(o)
		s.wantIs(o.deliver("zombie", o.place("zombie")), nil)
		err := s.store.CompleteTx(ctx, s.order("zombie"), s.order("more"))
		s.wantIs(err, dedupe.ErrLeaseLost)
		return err
	})
	s.wantIs(err, nil) // done by the other
	o.wantRan(1)
	s.wantOrders("zombie", 1)
	s.wantOrders("more", 0)
}

// giveAway releases the claims of the table as an operator would: whoever had
// them does not know.
func (s *shop) giveAway() {
	s.Helper()
	out, err := s.client.Scan(s.Context(), &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		s.Fatal(err)
	}
	for _, item := range out.Items {
		if state, ok := item["state"].(*types.AttributeValueMemberS); !ok || state.Value != "PROCESSING" {
			continue
		}
		item["state"] = &types.AttributeValueMemberS{Value: "FAILED"}
		if _, err := s.client.PutItem(s.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
			s.Fatal(err)
		}
	}
}

// A worker that was overtaken writes nothing.
func TestCompleteTxFenced(t *testing.T) {
	inShop(t, func(s *shop, _ *ddbtest.Server) {
		overtaken(s, func(*shop) { s.giveAway() })
		err := s.deliver("again", func(ctx context.Context) error { // nobody finished it
			s.giveAway()
			o := s.other()
			return o.deliver("again", func(context.Context) error { return s.store.CompleteTx(ctx, s.order("again")) })
		})
		s.wantIs(err, dedupe.ErrLeaseLost)
		s.wantOrders("again", 0)
	})
}

// A row that was completed by other means is not taken for the result of the
// transaction: its writes were not made.
func TestCompleteTxCompletedOtherwise(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		s.wantIs(s.deliver("1", func(ctx context.Context) error {
			for _, item := range server.Items(table) {
				state := "COMPLETED"
				item["state"] = ddbtest.Value{S: &state}
				server.Put(table, item)
			}
			err := s.store.CompleteTx(ctx, s.order("1"))
			s.wantIs(err, dedupe.ErrSecondCommit)
			return err
		}), nil)
		s.wantOrders("1", 0)
	})
}

// A row that changed under its owner, by a lease that was moved on, is
// completed as it is.
func TestCompleteTxMovedLease(t *testing.T) {
	for _, noItem := range []bool{false, true} {
		inShop(t, func(s *shop, server *ddbtest.Server) {
			s.open(&forgetful{Client: s.client, noItem: noItem})
			left, more := 3, dedupe.Millis(0)
			server.Fault(func(req ddbtest.Request) (a ddbtest.Action) {
				if req.Op == "TransactWriteItems" && left > 0 {
					left--
					for _, item := range server.Items(table) {
						more++
						end := fmt.Sprint(dedupe.MillisOf(time.Now()).Add(time.Hour) + more)
						item["lease_end"] = ddbtest.Value{N: &end}
						server.Put(table, item)
					}
				}
				return a
			})
			s.wantIs(s.deliver("1", s.place("1")), nil)
			s.wantOrders("1", 1)
			s.wantIs(s.deliver("1", s.place("1")), nil)
			s.wantRan(1)

			left = 1000
			s.wantIs(s.deliver("2", func(ctx context.Context) error {
				s.wantIs(s.place("2")(ctx), dynamodedupe.ErrContended)
				left = 0
				return s.place("2")(ctx)
			}), nil)
			s.wantOrders("2", 1)
		})
	}
}

// A worker that dies after its transaction leaves the record done, one that
// dies before it leaves nothing: the redelivery finds the one or the other.
func TestCompleteTxKilled(t *testing.T) {
	for name, before := range map[string]bool{"before": true, "after": false} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop, _ *ddbtest.Server) {
				killed, gone := make(chan struct{}), make(chan error)
				go func() {
					gone <- s.deliver("1", func(ctx context.Context) error {
						if !before {
							s.wantIs(s.place("1")(ctx), nil)
						}
						<-killed // it sends nothing any more, heartbeats neither
						return nil
					})
				}()
				synctest.Wait()
				o := s.other()
				if before {
					s.giveAway() // as its lease would
				}
				s.wantIs(o.deliver("1", o.place("1")), nil)
				want := int32(0)
				if before {
					want = 1
				}
				o.wantRan(want)
				s.wantOrders("1", 1)
				close(killed)
				<-gone
			})
		})
	}
}
