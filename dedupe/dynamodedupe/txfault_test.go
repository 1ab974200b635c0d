package dynamodedupe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// nth makes a fault of the transactions; n counts them from 1.
func nth(f func(n int) ddbtest.Action) ddbtest.FaultFunc {
	var count atomic.Int32
	return func(req ddbtest.Request) ddbtest.Action {
		if req.Op != "TransactWriteItems" {
			return ddbtest.Action{}
		}
		return f(int(count.Add(1)))
	}
}

// A transaction whose answer was lost is sent again with its token, and was
// made once.
func TestCompleteTxLostAnswer(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		server.Fault(nth(func(n int) ddbtest.Action { return ddbtest.Action{DropResponse: n == 1, DropRequest: n == 2} }))
		s.wantIs(s.deliver("1", func(ctx context.Context) error { return s.store.CompleteTx(ctx, s.fresh("1")) }), nil)
		s.wantRan(1)
		s.wantOrders("1", 1)
		var tokens []string
		for _, req := range server.Requests() {
			if req.Op == "TransactWriteItems" {
				_, token, _ := strings.Cut(string(req.Input), `"ClientRequestToken":"`)
				token, _, _ = strings.Cut(token, `"`)
				tokens = append(tokens, token)
			}
		}
		if len(tokens) != 3 || tokens[0] == "" || len(slices.Compact(tokens)) != 1 {
			s.Errorf("tokens %q, want one in three requests", tokens)
		}
	})
}

// forgetful is a client of a server that knows no tokens.
type forgetful struct {
	*dynamodb.Client
	noItem   bool // that failed a condition
	mismatch bool // the second request is not known again
	lost     bool // the first answer
	n        int
}

func (c *forgetful) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if c.n++; c.mismatch && c.n == 2 {
		return nil, &types.IdempotentParameterMismatchException{}
	}
	other := *in
	other.ClientRequestToken = aws.String(fmt.Sprint("token-", c.n))
	out, err := c.Client.TransactWriteItems(ctx, &other, o...)
	if e, ok := errors.AsType[*types.TransactionCanceledException](err); ok && c.noItem {
		for i := range e.CancellationReasons {
			e.CancellationReasons[i].Item = nil
		}
	}
	if c.lost && c.n == 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return out, err
}

// A lost answer is understood without the token too: the retry finds the
// record completed, though the conditions of its own writes fail.
func TestCompleteTxWithoutToken(t *testing.T) {
	for name, c := range map[string]*forgetful{"item": {}, "no item": {noItem: true}, "mismatch": {mismatch: true}} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop, server *ddbtest.Server) {
				c.Client = s.client
				s.open(c)
				server.Fault(nth(func(n int) ddbtest.Action { return ddbtest.Action{DropResponse: n == 1} }))
				s.wantIs(s.deliver("1", func(ctx context.Context) error {
					err := s.store.CompleteTx(ctx, s.fresh("1"))
					s.wantIs(err, nil)
					return err
				}), nil)
				s.wantOrders("1", 1)
			})
		})
	}
}

// When no answer comes at all the handler is told that this is not known. The
// record is done if the transaction was made and runs again if not; the
// writes are there once.
func TestCompleteTxUndecided(t *testing.T) {
	for name, lost := range map[string]ddbtest.Action{
		"answers lost":  {DropResponse: true},
		"requests lost": {DropRequest: true},
		"broken":        {Err: &ddbtest.Error{Code: "InternalServerError"}},
		"in progress":   {Err: &ddbtest.Error{Code: "TransactionInProgressException"}},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop, server *ddbtest.Server) {
				server.Fault(func(req ddbtest.Request) (a ddbtest.Action) {
					if req.Op == "TransactWriteItems" || req.Op == "BatchGetItem" {
						return lost
					}
					return a
				})
				err := s.deliver("1", func(ctx context.Context) error {
					err := s.store.CompleteTx(ctx, s.order("1"))
					if _, undecided := errors.AsType[*dedupe.StoreError](err); !undecided {
						s.Errorf("got error %v, want a StoreError", err)
					}
					s.wantIs(s.store.CompleteTx(ctx, s.order("1")), dedupe.ErrSecondCommit)
					return err
				})
				server.Fault(nil)
				if made := lost.DropResponse; (err == nil) != made {
					s.Errorf("got error %v, want one: %v", err, !made)
				}
				s.wantIs(s.deliver("1", s.place("1")), nil)
				s.wantOrders("1", 1)
			})
		})
	}
}

// A transaction that was refused after one whose fate is not known is not
// known either, unless the row tells.
func TestCompleteTxRefusedAfterLost(t *testing.T) {
	inShop(t, func(s *shop, server *ddbtest.Server) {
		s.wantIs(s.deliver("0", s.place("1")), nil)
		server.Fault(nth(func(n int) ddbtest.Action { return ddbtest.Action{DropRequest: n == 1} }))
		err := s.deliver("1", func(ctx context.Context) error {
			err := s.store.CompleteTx(ctx, s.fresh("1"))
			s.wantReasons(err, "ConditionalCheckFailed", "None")
			s.wantIs(s.store.CompleteTx(ctx, s.order("1")), dedupe.ErrSecondCommit)
			return err
		})
		s.wantReasons(err, "ConditionalCheckFailed", "None")

		// The first was made, and the server refuses the copy for the caller's
		// condition alone.
		server.Fault(nth(func(n int) (a ddbtest.Action) {
			switch n {
			case 1:
				a.DropResponse = true
			case 2:
				a.Err = &ddbtest.Error{Code: "ValidationException"}
			}
			return a
		}))
		s.wantIs(s.deliver("2", func(ctx context.Context) error {
			err := s.store.CompleteTx(ctx, s.fresh("2"))
			s.wantIs(err, nil)
			return err
		}), nil)
		s.wantOrders("2", 1)
	})
}

// What passes is tried again: conflicts with other transactions, throttling
// of any item or of the request. What does not pass in time is told, nothing
// was written, and the claim stands.
func TestCompleteTxConflict(t *testing.T) {
	conflict := &ddbtest.Error{Code: "TransactionConflict"}
	for name, a := range map[string]ddbtest.Action{
		"conflict":          {FailStatements: map[int]*ddbtest.Error{0: conflict}},
		"conflict of ours":  {FailStatements: map[int]*ddbtest.Error{1: conflict}},
		"throttled":         {FailStatements: map[int]*ddbtest.Error{0: {Code: "ThrottlingError"}, 1: conflict}},
		"capacity":          {FailStatements: map[int]*ddbtest.Error{1: {Code: "ProvisionedThroughputExceeded"}}},
		"request throttled": {Err: &ddbtest.Error{Code: "ThrottlingException"}},
		"request capacity":  {Err: &ddbtest.Error{Code: "ProvisionedThroughputExceededException"}},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop, server *ddbtest.Server) {
				server.Fault(nth(func(n int) ddbtest.Action {
					if n <= 3 {
						return a
					}
					return ddbtest.Action{}
				}))
				s.wantIs(s.deliver("1", s.place("1")), nil)
				s.wantOrders("1", 1)

				server.Fault(nth(func(int) ddbtest.Action { return a }))
				began := time.Now()
				err := s.deliver("2", func(ctx context.Context) error {
					err := s.store.CompleteTx(ctx, s.order("2"))
					if _, undecided := errors.AsType[*dedupe.StoreError](err); undecided || err == nil {
						s.Errorf("got error %v, want one that says that nothing was written", err)
					}
					server.Fault(nil)
					return s.store.CompleteTx(ctx, s.order("2"))
				})
				s.wantIs(err, nil)
				if took := time.Since(began); took < time.Second || took > 10*time.Second {
					s.Errorf("tried for %v, want some seconds", took)
				}
				s.wantOrders("2", 1)
			})
		})
	}
}
