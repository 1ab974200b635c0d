package ddbtest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// remote is a table on a DynamoDB over TCP, which workers reach through a
// proxy. It remembers which records ran.
type remote struct {
	*testing.T
	*awsproxy.Proxy
	url   string // of the DynamoDB itself
	table string

	mu  sync.Mutex
	ran map[string]int
}

// overTCP runs f on the DynamoDB that is played in this process, and on
// another one where the environment names it.
func overTCP(t *testing.T, f func(r *remote)) {
	t.Helper()
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		ts := httptest.NewServer(ddbtest.New(ddbtest.Options{}).Handler())
		t.Cleanup(ts.Close)
		f(newRemote(t, ts.URL))
	})
	t.Run("ministack", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
		if url == "" {
			t.Skip("ONLYONCE_DYNAMODB_ENDPOINT is not set: scripts/ministack.sh go test ./internal/ddbtest sets it")
		}
		f(newRemote(t, url))
	})
}

func newRemote(t *testing.T, url string) *remote {
	r := &remote{T: t, url: url, table: "worker-" + rand.Text(), ran: map[string]int{}}
	r.Proxy = r.proxy()
	client := r.client(url)
	if err := dynamodedupe.CreateTable(t.Context(), client, r.table); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &r.table})
		if err != nil {
			t.Error(err)
		}
	})
	return r
}

// proxy starts a proxy in front of the DynamoDB.
func (r *remote) proxy() *awsproxy.Proxy {
	p, err := awsproxy.Start(r.url)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := p.Close(); err != nil {
			r.Error(err)
		}
	})
	return p
}

// mended puts a proxy without faults in the place of the old one, once
// everything that was on its way has arrived or is lost.
func (r *remote) mended() {
	r.Helper()
	if err := r.Close(); err != nil {
		r.Error(err)
	}
	r.Proxy = r.proxy()
}

// client returns a real client with that endpoint.
func (r *remote) client(url string, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), HTTPClient: dynamodedupe.HTTPClient(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}, optFns...)
}

// patient makes a client wait for its answers: how long they take is not what
// its test is about, and a retry would count.
func patient(o *dynamodb.Options) {
	o.HTTPClient = sqstest.BodyBufferingClient{Next: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
}

// worker is what a worker on this table can be told.
type worker struct {
	client  *dynamodb.Client // defaults to one of the proxy
	store   dynamodedupe.Options
	guard   dedupe.Options
	batch   batch.Options
	handler func(rec *consumer.Record) error // defaults to success
}

// deliver runs records through a new worker and returns their outcomes.
func (r *remote) deliver(w worker, ids ...string) map[string]error {
	r.Helper()
	recs := make([]*consumer.Record, len(ids))
	for i, id := range ids {
		recs[i] = &consumer.Record{ID: id}
	}
	if w.client == nil {
		w.client = r.client(r.URL())
	}
	w.guard.Consumer = "orders"
	guard := dedupe.New(dynamodedupe.New(w.client, r.table, w.store), w.guard)
	p := batch.New(guard, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		r.mu.Lock()
		r.ran[rec.ID]++
		r.mu.Unlock()
		if w.handler == nil {
			return nil
		}
		return w.handler(rec)
	}), w.batch)
	out := map[string]error{}
	for rec, err := range p.Process(r.Context(), recs) {
		out[rec.ID] = err
	}
	return out
}

// ids returns the ids of records from the first to before the end.
func ids(first, end int) []string {
	var all []string
	for i := first; i < end; i++ {
		all = append(all, fmt.Sprint("record-", i))
	}
	return all
}

// done fails the test unless all records are done.
func (r *remote) done(out map[string]error) {
	r.Helper()
	if bad := failed(out); len(bad) > 0 {
		r.Errorf("%v failed, the first with %v, want none", bad, out[bad[0]])
	}
}

// runs checks how often each of these records ran.
func (r *remote) runs(want int, ids ...string) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if got := r.ran[id]; got != want {
			r.Errorf("%s ran %d times, want %d", id, got, want)
		}
	}
}

// item is what the table has of a record.
type item map[string]types.AttributeValue

func (i item) text(name string) string {
	switch v := i[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// String returns the attributes that are text or numbers.
func (i item) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(i)) {
		fmt.Fprintf(&b, " %s=%s", name, i.text(name))
	}
	return b.String()
}

// rows reads the table, around the proxy, by record.
func (r *remote) rows() map[string]item {
	r.Helper()
	rows := map[string]item{}
	pages := dynamodb.NewScanPaginator(r.client(r.url), &dynamodb.ScanInput{TableName: &r.table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			r.Fatal(err)
		}
		for _, i := range page.Items {
			key := item(i).text("pk")
			rows[key[strings.LastIndex(key, "record-"):]] = i
		}
	}
	return rows
}

// row is what a test wants of a row.
type row struct {
	state            string
	claims, failures string
}

// wantRows checks the rows of these records, and that there are no others.
func (r *remote) wantRows(want row, ids ...string) map[string]item {
	r.Helper()
	rows := r.rows()
	if got := slices.Sorted(maps.Keys(rows)); !reflect.DeepEqual(got, slices.Sorted(slices.Values(ids))) {
		r.Errorf("rows of %v, want %v", got, ids)
	}
	for id, i := range rows {
		if got := (row{i.text("state"), i.text("claims"), i.text("failures")}); got != want {
			r.Errorf("row of %s: %+v, want %+v", id, got, want)
		}
	}
	return rows
}

// operations counts the requests at the proxy by operation.
func (r *remote) operations() map[string]int {
	n := map[string]int{}
	for _, req := range r.Requests() {
		n[req.Op]++
	}
	return n
}

// forever is longer than any test: a lease or a timeout that is not to end.
const forever = 10 * time.Minute
