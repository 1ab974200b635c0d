package sqstest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const (
	region  = "us-east-1"
	account = "000000000000"
	// inProcess is a host that resolves nowhere, so that a client without
	// [Server.HTTPClient] fails instead of reaching somebody.
	inProcess = "http://sqstest.invalid"
)

// Options configures a [Server]. The zero value is a server without faults.
// Chances are between 0 and 1 and concern standard queues only.
type Options struct {
	// Seed drives message ids and every chance below: equal seeds and equal
	// sequences of requests give equal runs. Defaults to 0, a seed like any
	// other.
	Seed uint64

	// Duplicate is the chance that a received message stays available for one
	// more receive, so that two consumers hold it at the same time. Defaults
	// to 0.
	Duplicate float64

	// Redeliver is the chance that a deleted message is delivered once more.
	// Defaults to 0.
	Redeliver float64

	// EmptyReceive is the chance that a short poll finds nothing although
	// messages are available, as one that asked the wrong hosts does. Defaults
	// to 0.
	EmptyReceive float64

	// Reorder picks each received message at random among the ten oldest.
	// Defaults to false: oldest first.
	Reorder bool

	// IgnoreStaleDelete makes DeleteMessage succeed without deleting when the
	// message was received again since the handle was given out; the service
	// promises neither outcome. Defaults to false: the message is deleted.
	IgnoreStaleDelete bool

	// LateExtend lets ChangeMessageVisibility take back a message whose
	// visibility timeout is over, as long as nobody received it since.
	// Defaults to false: MessageNotInflight.
	LateExtend bool

	// MaxInFlight is the number of messages of one queue that may be in
	// flight. Defaults to 120,000, the quota of the service.
	MaxInFlight int

	// HistorySize is the number of latest events that [Server.History] keeps;
	// a negative number keeps none. Defaults to 4,096.
	HistorySize int
}

// Server is an in-process SQS. It is safe for concurrent use.
type Server struct {
	opts Options

	// mu guards all fields below and every queue. It is never held while a
	// request waits, nor while a caller's function runs.
	mu       sync.Mutex
	rng      *rand.Rand
	lastKey  uint64
	requests uint64
	queues   map[string]*queue
	buried   map[string]time.Time
	tasks    []*moveTask
	history  history
	fault    FaultFunc
	listener *listener
}

// New returns a server without queues. It starts nothing: there is nothing to
// close unless [Server.Start] is called.
func New(opts Options) *Server {
	if opts.MaxInFlight == 0 {
		opts.MaxInFlight = 120_000
	}
	if opts.HistorySize == 0 {
		opts.HistorySize = 4096
	}
	return &Server{
		opts:    opts,
		rng:     rand.New(rand.NewPCG(opts.Seed, 0x5157)),
		queues:  map[string]*queue{},
		buried:  map[string]time.Time{},
		history: history{size: max(opts.HistorySize, 0)},
	}
}

// Handler returns the server as an HTTP handler for a listener of the caller.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Client returns a real SQS client that calls the server in process. optFns
// change its options after the server has set what it needs.
func (s *Server) Client(optFns ...func(*sqs.Options)) *sqs.Client {
	return newClient(inProcess, s.HTTPClient(), optFns)
}

// CreateQueue creates a queue with the given attributes, named as in the SQS
// API, and returns its URL. A name that ends in ".fifo" makes a FIFO queue
// without the FifoQueue attribute. It panics when the service would refuse the
// request.
func (s *Server) CreateQueue(name string, attrs map[string]string) (queueURL string) {
	all := map[string]string{}
	if strings.HasSuffix(name, ".fifo") {
		all["FifoQueue"] = "true"
	}
	for k, v := range attrs {
		all[k] = v
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.createQueue(now, name, all); err != nil {
		panic("sqstest: create queue " + name + ": " + err.Error())
	}
	return s.baseURL() + "/" + account + "/" + name
}

// ARN returns the ARN that the queue of that name has or would have.
func (s *Server) ARN(name string) string {
	return "arn:aws:sqs:" + region + ":" + account + ":" + name
}

// lock takes the mutex and brings the server up to the time it returns. Only
// what depends on more than one queue happens here; a queue is brought up to
// date when it is used.
func (s *Server) lock() time.Time {
	s.mu.Lock()
	now := time.Now()
	s.runMoveTasks(now)
	return now
}

// baseURL is where queue URLs point when no request tells the host. The Go SDK
// ignores it; other SDKs send requests to the host in the queue URL.
func (s *Server) baseURL() string {
	if s.listener != nil {
		return s.listener.url
	}
	return inProcess
}

// queueAt finds a queue by its URL or ARN. Only the name counts, since a
// server is reached by more than one host.
func (s *Server) queueAt(ref string) *queue {
	return s.queues[ref[strings.LastIndexAny(ref, "/:")+1:]]
}

// chance decides one fault. It draws nothing when p is 0, so that one fault
// does not shift the others.
func (s *Server) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

func newClient(url string, c sqs.HTTPClient, optFns []func(*sqs.Options)) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:       region,
		BaseEndpoint: aws.String(url),
		HTTPClient:   c,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "sqstest"}, nil
		}),
	}, optFns...)
}
