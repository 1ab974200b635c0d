package dynamodedupe_test

import (
	"context"
	"errors"
	"strings"
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

// A table that CreateTable made passes Check, and making it again changes
// nothing.
func TestCreateTable(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		r.want(r.store, claims(1, 1), dedupe.Won)
		if err := dynamodedupe.CreateTable(r.Context(), r.Client(), table); err != nil {
			r.Error(err)
		}
		if err := r.store.Check(r.Context()); err != nil {
			r.Error(err)
		}
		if len(r.Items(table)) != 1 {
			r.Error("the item is gone")
		}
	})
}

// Check finds what is wrong with a table before a record meets it, and says
// what to do.
func TestCheck(t *testing.T) {
	key := func(name string, kind types.ScalarAttributeType) *dynamodb.CreateTableInput {
		return &dynamodb.CreateTableInput{
			TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &name, AttributeType: kind}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: &name, KeyType: types.KeyTypeHash}},
		}
	}
	for _, c := range []struct {
		name   string
		create *dynamodb.CreateTableInput
		ttl    string
		deny   string // this operation
		want   error
		says   string
	}{
		{name: "no table", want: dynamodedupe.ErrTable, says: `no table "dedupe"`},
		{name: "other key", create: key("id", types.ScalarAttributeTypeS), want: dynamodedupe.ErrTable, says: `must be the string "pk"`},
		{name: "binary key", create: key("pk", types.ScalarAttributeTypeB), want: dynamodedupe.ErrTable, says: `must be the string "pk"`},
		{name: "no time to live", create: key("pk", types.ScalarAttributeTypeS), want: dynamodedupe.ErrTable, says: `enable it on the attribute "ttl"`},
		{name: "other time to live", create: key("pk", types.ScalarAttributeTypeS), ttl: "expires", want: dynamodedupe.ErrTable, says: `"expires"`},
		{name: "good", create: key("pk", types.ScalarAttributeTypeS), ttl: "ttl"},
		{name: "denied", deny: "DescribeTable", want: dynamodedupe.ErrDenied, says: "allow dynamodb:DescribeTable"},
		{name: "ttl denied", create: key("pk", types.ScalarAttributeTypeS), deny: "DescribeTimeToLive", want: dynamodedupe.ErrDenied, says: "allow dynamodb:DescribeTimeToLive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := ddbtest.New(ddbtest.Options{})
				client := s.Client()
				if c.create != nil {
					if _, err := client.CreateTable(t.Context(), c.create); err != nil {
						t.Fatal(err)
					}
				}
				if c.ttl != "" {
					if _, err := client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
						TableName:               aws.String(table),
						TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &c.ttl, Enabled: aws.Bool(true)},
					}); err != nil {
						t.Fatal(err)
					}
				}
				s.Fault(func(req ddbtest.Request) ddbtest.Action {
					if req.Op == c.deny {
						return ddbtest.Action{Err: &ddbtest.Error{Code: "AccessDeniedException"}}
					}
					return ddbtest.Action{}
				})
				err := dynamodedupe.New(client, table).Check(t.Context())
				if !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				if err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v does not say %s", err, c.says)
				}
			})
		})
	}
}

// Operations on a table that is missing or denied say so as Check does.
func TestMissingTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ddbtest.New(ddbtest.Options{})
		store := dynamodedupe.New(s.Client(), table)
		for _, n := range []int{1, 2} {
			vs, err := store.Apply(t.Context(), claims(1, n))
			for _, v := range vs {
				err = errors.Join(err, v.Err)
			}
			if !errors.Is(err, dynamodedupe.ErrTable) {
				t.Errorf("%d claims: error %v, want ErrTable", n, err)
			}
		}
	})
}

// Sweep deletes what expired more than an hour ago and nothing else: not what
// is live, was parked, or is claimed while it looks.
func TestSweep(t *testing.T) {
	bubble(t, ddbtest.Options{}, func(r rig) {
		ops := claims(1, 6)
		ops[2].AtMostOnce, ops[3].AtMostOnce = true, true
		for i := range ops[:4] {
			ops[i].RetainEnd = ops[i].LeaseEnd
		}
		r.want(r.store, ops, dedupe.Won)
		r.want(r.store, ended(dedupe.OpRelease, ops[2:4]), dedupe.Applied)
		time.Sleep(2 * time.Hour)
		r.Fault(func(req ddbtest.Request) ddbtest.Action {
			if req.Op == "DeleteItem" && req.Keys[0] == "key-1" {
				r.Fault(nil)
				r.want(r.other(), claims(2, 2)[1:], dedupe.Won)
			}
			return ddbtest.Action{}
		})
		n, err := dynamodedupe.Sweep(r.Context(), r.Client(), table)
		if err != nil || n != 1 {
			r.Errorf("deleted %d items, error %v, want 1", n, err)
		}
		if left := r.Items(table); len(left) != 5 || left["key-0"] != nil {
			r.Errorf("%d items are left, want all but key-0", len(left))
		}
	})
}

// Wiring mistakes panic at once, with the package's name.
func TestNewPanics(t *testing.T) {
	client := ddbtest.New(ddbtest.Options{}).Client()
	for name, f := range map[string]func(){
		"no client":    func() { dynamodedupe.New(nil, table) },
		"no table":     func() { dynamodedupe.New(client, "") },
		"two options":  func() { dynamodedupe.New(client, table, dynamodedupe.Options{}, dynamodedupe.Options{}) },
		"large result": func() { dynamodedupe.New(client, table, dynamodedupe.Options{MaxResult: 400 << 10}) },
		"unknown operation": func() {
			_, _ = dynamodedupe.New(client, table).Apply(context.Background(), []dedupe.Op{{Kind: 9, Key: "k"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "dynamodedupe: ") {
					t.Errorf("panic %q, want one of this package", p)
				}
			}()
			f()
		})
	}
}
