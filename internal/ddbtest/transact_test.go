package ddbtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

func withTable(t *testing.T, f func(t *testing.T, s *ddbtest.Server, c *dynamodb.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := ddbtest.New(ddbtest.Options{})
		if err := dynamodedupe.CreateTable(t.Context(), s.Client(), "table"); err != nil {
			t.Fatal(err)
		}
		s.Reset()
		f(t, s, s.Client())
	})
}

// add adds one to the item's number.
func add(key string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String("table"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

func wantNumber(t *testing.T, s *ddbtest.Server, key, want string) {
	t.Helper()
	got := "none"
	if v := s.Items("table")[key]["n"]; v.N != nil {
		got = *v.N
	}
	if got != want {
		t.Errorf("%s has the number %s, want %s", key, got, want)
	}
}

// A token stands for its transaction for ten minutes: a copy within them
// changes nothing, a later one is a new transaction. Each item costs two
// units, of a copy two units of reading.
func TestTransactToken(t *testing.T) {
	withTable(t, func(t *testing.T, s *ddbtest.Server, c *dynamodb.Client) {
		send := func() {
			t.Helper()
			_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				TransactItems: []types.TransactWriteItem{add("a"), add("b")}, ClientRequestToken: aws.String("token"),
			})
			if err != nil {
				t.Error(err)
			}
		}
		send()
		time.Sleep(10*time.Minute - 1)
		send()
		wantNumber(t, s, "a", "1")
		if got, want := s.Used(), (ddbtest.Units{Write: 4, Read: 4}); got != want {
			t.Errorf("used %+v, want %+v", got, want)
		}
		time.Sleep(time.Nanosecond)
		send()
		wantNumber(t, s, "a", "2")
		wantNumber(t, s, "b", "2")
	})
}

// While a transaction holds its items every other write of them is refused,
// and goes through afterwards.
func TestTransactHold(t *testing.T) {
	withTable(t, func(t *testing.T, s *ddbtest.Server, c *dynamodb.Client) {
		s.Fault(func(req ddbtest.Request) (a ddbtest.Action) {
			if len(req.Keys) == 2 {
				a.Hold = time.Second
			}
			return a
		})
		done := make(chan error)
		go func() {
			_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{add("a"), add("b")}})
			done <- err
		}()
		synctest.Wait()
		put := func(key string) error {
			_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: aws.String("table"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
			})
			return err
		}
		if _, conflict := errors.AsType[*types.TransactionConflictException](put("a")); !conflict {
			t.Error("an item of a transaction under way was written")
		}
		if err := put("other"); err != nil {
			t.Error(err)
		}
		out, err := c.BatchExecuteStatement(t.Context(), &dynamodb.BatchExecuteStatementInput{
			Statements: []types.BatchStatementRequest{{Statement: aws.String(`INSERT INTO "table" VALUE {'pk':'b'}`)}},
		})
		if err != nil || out.Responses[0].Error == nil || out.Responses[0].Error.Code != types.BatchStatementErrorCodeEnumTransactionConflict {
			t.Errorf("a statement on such an item: %+v, %v, want TransactionConflict", out, err)
		}
		_, err = c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{add("c"), add("b"), add("d")}})
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok || len(cancelled.CancellationReasons) != 3 || aws.ToString(cancelled.CancellationReasons[1].Code) != "TransactionConflict" {
			t.Errorf("a second transaction: %v, want it cancelled by a conflict of its second item", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantNumber(t, s, "b", "1")
		wantNumber(t, s, "c", "none")
		if err := put("a"); err != nil {
			t.Error(err)
		}

		gone, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err = c.TransactWriteItems(gone, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{add("a"), add("b")}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want that the client left", err)
		}
		synctest.Wait()
		if err := put("a"); err != nil {
			t.Errorf("after a transaction whose client left: %v", err)
		}
	})
}
