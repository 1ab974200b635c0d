package linear_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/proof/figures"
	"github.com/onlyonce-go/onlyonce/proof/linear"
)

// checkTime is what porcupine has for one key.
const checkTime = 20 * time.Second

var rounds = flag.Int("rounds", 15, "loads on each store")

// linearizable puts loads on the store of that name, each on keys of its own.
func linearizable(t *testing.T, name string, s dedupe.Store, rounds int, l linear.Stress, faults *faults) {
	t.Helper()
	var all linear.Result
	defer func() {
		figures.Attr(t, figures.Histories{
			Store: name, Histories: all.Keys, Operations: all.Operations, Unknown: all.Unknown,
			Faults: faults.counts(), Violation: string(all.Illegal + all.Open),
		})
	}()
	began := time.Now()
	for range rounds {
		l.Name = rand.Text()
		r := l.Run(t.Context(), s).Check(checkTime)
		if r.Illegal != "" || r.Open != "" {
			all.Illegal, all.Open = r.Illegal, r.Open
			t.Fatalf("not linearizable: %q; not decided: %q\n%s", r.Illegal, r.Open, strings.Join(r.History, "\n"))
		}
		all.Keys, all.Operations, all.Unknown = all.Keys+r.Keys, all.Operations+r.Operations, all.Unknown+r.Unknown
	}
	t.Logf("%d histories of one key, %d operations, %d of unknown outcome, %.1f s",
		all.Keys, all.Operations, all.Unknown, time.Since(began).Seconds())
}

// load is the usual one.
var load = linear.Stress{Callers: 4, Keys: 2, Calls: 10, Lost: 8, Patience: 2 * time.Millisecond}

// The memory store is linearizable.
func TestMemory(t *testing.T) {
	linearizable(t, "memory", memdedupe.New(), *rounds, load, nil)
}

// The bolt store is linearizable, with several calls in one transaction and
// answers from read transactions.
func TestBolt(t *testing.T) {
	s, err := boltdedupe.Open(filepath.Join(t.TempDir(), "rows"), boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	linearizable(t, "bbolt", s, *rounds, load, nil)
}

// The DynamoDB store is linearizable in both of its ways to write, also while
// requests are dropped, answers are lost and statements throttled: then an
// earlier copy of what it sends again may have been applied.
func TestDynamoDB(t *testing.T) {
	for name, o := range map[string]dynamodedupe.Options{"statements": {}, "single items": {SingleItem: true}} {
		for _, faulty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, faults %v", name, faulty), func(t *testing.T) {
				server := ddbtest.New(ddbtest.Options{NoOldItem: faulty})
				l := load
				var faults *faults
				if faulty {
					faults = newFaults()
					l.Losses = &faults.losses
					server.Fault(faults.draw)
				}
				client := server.Client(func(o *dynamodb.Options) { o.Retryer = impatient() })
				if err := dynamodedupe.CreateTable(t.Context(), client, "dedupe"); err != nil {
					t.Fatal(err)
				}
				linearizable(t, "DynamoDB, "+name, workers{
					dynamodedupe.New(client, "dedupe", o), dynamodedupe.New(client, "dedupe", o),
				}, *rounds, l, faults)
			})
		}
	}
}

// The DynamoDB store is linearizable on a server over TCP.
func TestDynamoDBEndpoint(t *testing.T) {
	url := os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("ONLYONCE_DYNAMODB_ENDPOINT is not set: make linearizability sets it")
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), HTTPClient: dynamodedupe.HTTPClient(), Retryer: impatient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "test"}, nil
		}),
	})
	table := "dedupe-" + rand.Text()
	if err := dynamodedupe.CreateTable(t.Context(), client, table); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
			t.Error(err)
		}
	})
	l := load
	l.Patience = 20 * time.Millisecond
	linearizable(t, "DynamoDB of ministack, over TCP", workers{
		dynamodedupe.New(client, table), dynamodedupe.New(client, table),
	}, *rounds, l, nil)
}

// workers are stores on one table, called in turns: each remembers rows of its
// own.
type workers []dedupe.Store

func (w workers) Apply(ctx context.Context, ops []dedupe.Op) ([]dedupe.Verdict, error) {
	return w[mathrand.IntN(len(w))].Apply(ctx, ops)
}

// impatient tries again at once.
func impatient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = retryForever{}
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
	})
}

// retryForever is a rate limiter that limits nothing: the faults are many.
type retryForever struct{}

func (retryForever) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}

func (retryForever) AddTokens(uint) error { return nil }

// faults fail one request in ten on its way to the server or back.
type faults struct {
	losses linear.Losses

	mu   sync.Mutex
	dice *mathrand.Rand
	made map[string]int
}

func newFaults() *faults {
	return &faults{dice: mathrand.New(mathrand.NewPCG(mathrand.Uint64(), 1)), made: map[string]int{}}
}

// counts returns how many there were of each kind.
func (f *faults) counts() map[string]int {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.made)
}

func (f *faults) draw(req ddbtest.Request) (a ddbtest.Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.Attempt > 1 || len(req.Keys) == 0 || f.dice.IntN(10) > 0 {
		return a
	}
	switch i := f.dice.IntN(len(req.Keys)); f.dice.IntN(4) {
	case 0:
		f.made["requests lost"]++
		a.DropRequest = true
	case 1:
		f.made["responses lost"]++
		a.DropResponse = true
		for _, key := range req.Keys {
			f.losses.Note(dedupe.Key(key))
		}
	case 2:
		f.made["requests and responses late"]++
		a.Delay, a.DelayResponse = time.Millisecond, time.Millisecond
	default:
		f.made["statements throttled"]++
		a.FailStatements = map[int]*ddbtest.Error{i: {Code: "ThrottlingError"}}
		a.Unprocessed = map[int]bool{i: true}
	}
	return a
}
