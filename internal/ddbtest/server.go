package ddbtest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// inProcess is a host that resolves nowhere, so that a client without
// [Server.HTTPClient] fails instead of reaching somebody.
const inProcess = "http://ddbtest.invalid"

// Options configures a [Server]. The zero value does what implementations of
// DynamoDB were seen to do: an UPDATE of a batch that fails returns the item
// when it was asked to, an INSERT never does.
type Options struct {
	// NoOldItem returns no item with a failed statement of a batch, whatever
	// was asked for. Defaults to false.
	NoOldItem bool

	// NoPartiQL refuses PartiQL as an unknown operation. Defaults to false.
	NoPartiQL bool
}

// Server is an in-process DynamoDB. It is safe for concurrent use.
type Server struct {
	o Options

	// mu guards all fields below. It is never held while a request waits, nor
	// while a caller's function runs.
	mu        sync.Mutex
	tables    map[string]*table
	committed map[string]transaction // by token
	held      map[place]int          // by transactions under way
	fault     FaultFunc
	requests  []Request
	flying    int
	most      int
	units     Units
}

// Units are capacity units.
type Units struct{ Write, Read float64 }

// New returns a server without tables.
func New(o Options) *Server {
	return &Server{o: o, tables: map[string]*table{}, committed: map[string]transaction{}, held: map[place]int{}}
}

// Handler returns the server as an HTTP handler for a listener of the caller.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Client returns a real DynamoDB client that calls the server in process.
func (s *Server) Client(optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(inProcess),
		HTTPClient:   s.HTTPClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "ddbtest"}, nil
		}),
	}, optFns...)
}

// Requests returns the requests since the last Reset, retries included, in
// the order they came.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// MostInFlight returns how many requests were there at once at most, since
// the last Reset.
func (s *Server) MostInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// Used returns the capacity units that requests used since the last Reset.
func (s *Server) Used() Units {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units
}

// Reset forgets what Requests, MostInFlight and Used tell. Tables stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.most, s.units = nil, s.flying, Units{}
}

// Items returns copies of the items of a table by partition key.
func (s *Server) Items(tableName string) map[string]Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Item{}
	if t := s.tables[tableName]; t != nil {
		for _, i := range t.items {
			out[keyText(i[t.hash])] = i.clone()
		}
	}
	return out
}

// Put stores an item as it is, without a request.
func (s *Server) Put(tableName string, i Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[tableName]
	if t == nil {
		panic("ddbtest: Put: no table " + tableName)
	}
	t.items[t.keyOf(i)] = i.clone()
}

// Storable reports whether a table takes the item, as it is to be asked before
// a [Server.Put] of what is not known.
func Storable(i Item) bool { return caught(func() { new(table).check(i) }) == nil }

// Collect deletes the items whose time to live has passed.
func (s *Server) Collect(tableName string) (deleted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[tableName]
	if t == nil || t.ttl == "" {
		return 0
	}
	before := len(t.items)
	maps.DeleteFunc(t.items, func(_ string, i Item) bool {
		at, ok := i[t.ttl].rat()
		if !ok || !at.IsInt() {
			return false
		}
		return at.Num().Int64() <= time.Now().Unix()
	})
	return before - len(t.items)
}
