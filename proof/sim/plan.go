package sim

import "time"

// Mode is what all handlers of a plan have in common.
type Mode string

// The modes.
const (
	Plain      Mode = "plain"        // an effect outside, recorded afterwards
	Tx         Mode = "tx"           // an effect in the transaction that records it
	AtMostOnce Mode = "at most once" // an effect outside that must not repeat
)

// Plan is what happens in one play. All times are in milliseconds since its
// beginning, all places in lists count from 0.
type Plan struct {
	Seed    uint64 // of the order in which requests are let through
	Mode    Mode
	Ordered bool // a FIFO queue

	Lease      int // milliseconds
	Visibility int // seconds
	Receives   int // maxReceiveCount
	Calm       int // when nothing goes wrong any more

	Duplicate, Redeliver, EmptyReceive int // percent, see sqstest.Options
	Reorder, StaleDelete, LateExtend   bool
	NoOldItem, SingleItem              bool // see ddbtest.Options, dynamodedupe.Options
	Linger                             bool // requests of a killed process that are on the way still arrive

	Hosts       []Host
	Keys        []Key
	Messages    []Message
	Faults      []Fault           `json:",omitempty"`
	Invocations []InvocationFault `json:",omitempty"`
	Kills       []Kill            `json:",omitempty"`
	Cuts        []Cut             `json:",omitempty"`
	Stops       []Stop            `json:",omitempty"`
}

// Host is where processes run, one after another or, behind a mapping, as many
// as there are invocations at once.
type Host struct {
	Lambda bool
	Slots  int // handlers at once
	Offset int // of its clock

	Batch   int // Lambda: messages to an invocation
	Workers int // Lambda: invocations at once
	Timeout int // Lambda: milliseconds

	AbandonPolls bool // poller
}

// Key is one piece of work and how its handler behaves.
type Key struct {
	Group   int
	Takes   int  // milliseconds, of the runs that are slow
	Slow    int  // how many are, the first ones
	Ignores bool // the end of its context
	Fails   int  // how many runs fail before their effect
	Spoils  int  // how many fail after it
	How     How  // they fail
	Never   bool // it fails for good
}

// How a run fails.
type How string

// The ways.
const (
	Errs    How = "error"
	Retries How = "retry after"
	Panics  How = "panic"
	Exits   How = "goexit"
)

// Message is one message of a key's work: a producer that tries again sends
// several.
type Message struct {
	Key, At int
}

// Side is what a request goes to.
type Side string

// The sides.
const (
	SQS      Side = "sqs"
	DynamoDB Side = "dynamodb"
)

// Fault is what goes wrong with some requests in a row: by their number, or
// all of a time.
type Fault struct {
	Side Side
	Op   string `json:",omitempty"` // only these are counted and meant; empty for all
	Nth  int    // the first one
	Span int    // how many

	From int `json:",omitempty"` // or all from then on
	For  int `json:",omitempty"` // for so long; 0: by number

	Kind FaultKind
	Ms   int // of delays
	Mask int // which entries fail
}

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of both sides, of SQS, and of DynamoDB.
const (
	Drop          FaultKind = "drop"           // before it is applied
	DropAfter     FaultKind = "drop after"     // the answer
	Delay         FaultKind = "delay"          // before it is applied
	DelayResponse FaultKind = "delay response" // after
	Late          FaultKind = "late"           // the client hears nothing; it is applied after Ms
	Throttle      FaultKind = "throttle"
	ServerError   FaultKind = "500"

	Entries  FaultKind = "entries" // of a batch, those in Mask
	BadMD5   FaultKind = "bad md5"
	Truncate FaultKind = "truncate"

	Statements  FaultKind = "statements" // of a batch or a transaction, those in Mask
	Unprocessed FaultKind = "unprocessed"
	Hold        FaultKind = "hold" // a transaction holds its items for Ms
)

// InvocationFault is what goes wrong with one invocation.
type InvocationFault struct {
	Nth  int
	Kind string // throttle, drop response, twin, again, duplicates
}

// Kill ends a process at once, as SIGKILL does.
type Kill struct {
	Host int
	At   Point
	Nth  int // of the host's store requests, effects, or milliseconds
}

// Point is a place at which processes are killed.
type Point string

// The points.
const (
	BeforeRequest Point = "before request"
	AfterRequest  Point = "after request"
	BeforeEffect  Point = "before effect"
	AfterEffect   Point = "after effect"
	AtTime        Point = "at time"
)

// Cut keeps a process from reaching the store, from the moment after an effect:
// where it hurts most.
type Cut struct {
	Host int
	Nth  int // effect of the host
	For  int // milliseconds
}

// Stop ends a poller as SIGTERM does; another one follows.
type Stop struct {
	Host, At int
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
